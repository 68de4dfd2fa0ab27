"""From the event store to the raw tables: a customer's events, in packages of bounded size.

Of each package the plugins' loads go first and that of the source ``events`` last, with the
bookmark. What a kill or a plugin that fails leaves behind the bookmark is read again by the next
drain; what has landed of it lands again, and the models count an event once.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_pipelines.config import Settings, source_configuration, validated
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.event_store import EventStore, StoredEntry
from dlt_pipelines.event_store.opening import has_store, open_store
from dlt_pipelines.landing import newest_sql
from dlt_pipelines.load import Job, LoadOutcome, LoadResult, explained
from dlt_pipelines.plugin import LoadContext, RowCounts, SourcePlugin, installed_plugins
from dlt_pipelines.sources.events import EventsPlugin, tables
from dlt_pipelines.sources.events.transform import EventRows

Progress = Callable[[int, int], None]

# what is made into rows at once: larger parts take more time, as memory for them is asked for anew
BYTES_PER_PART = 16 * 2**20
# while a package is written, DuckDB holds on to what it wrote of it
BYTES_PER_PACKAGE = 2**28
# events that plugins take are in memory until the package ends
BYTES_FOR_PLUGINS = 128 * 2**20

TIME = pa.timestamp("us")


def drain(
    settings: Settings,
    progress: Progress = lambda done, total: None,
    now: datetime | None = None,
) -> LoadOutcome:
    """Load what waits in the customer's event store.

    Safe to repeat, also after a kill. Where a plugin fails, the others' events are loaded, and all
    are kept for the next drain. Raises MindweaveError where the store or the warehouse fails.
    """
    if not has_store(settings):
        return LoadOutcome()
    store = open_store(settings)
    try:
        return drain_store(settings, store, progress, now)
    finally:
        store.close()


def drain_store(
    settings: Settings,
    store: EventStore,
    progress: Progress = lambda done, total: None,
    now: datetime | None = None,
) -> LoadOutcome:
    """Load what waits in a store."""
    job = Job(settings, warehouse_at(settings.warehouse_url), EventsPlugin.name)
    job.finish_pending_package()
    run = _Drain(settings, store, job, progress, now)
    shutil.rmtree(run.landing, ignore_errors=True)  # what a killed run left
    position = run.bookmark()
    if position:
        store.discard(position)
    # a store is told in steps with pauses, in which the next package can be loaded
    with ThreadPoolExecutor(1) as beside:
        told = []
        while not run.failures and (first := store.read(position, BYTES_PER_PART)):
            position = run.load_package(first)
            if not run.failures:
                told.append(beside.submit(store.discard, position))
        for done in told:
            done.result()
    return LoadOutcome(list(run.results.values()), run.failures)


class _Drain:
    """Loads one package after another."""

    def __init__(
        self,
        settings: Settings,
        store: EventStore,
        job: Job,
        progress: Progress,
        now: datetime | None,
    ) -> None:
        self.results: dict[str, LoadResult] = {}
        self.failures: dict[str, MindweaveError] = {}
        self._settings = settings
        self._store = store
        self._job = job
        self._progress = progress
        self._now = now
        self.landing = settings.home / "landing" / f"{settings.customer}-events"
        self._takers = {
            name: plugin
            for name, plugin in installed_plugins().items()
            if plugin.event_types and plugin is not EventsPlugin
        }
        self._bytes_read = 0

    def bookmark(self) -> str | None:
        """Return how far this log was drained, of what is whole in the warehouse."""
        newest = newest_sql(tables.DRAINED.name, ["log_id", "position"], ["log_id"])
        found = self._job.read_raw(newest)
        rows = [] if found is None else found.to_pylist()
        return {row["log_id"]: row["position"] for row in rows}.get(self._store.log_id)

    def load_package(self, first: Sequence[StoredEntry]) -> str:
        """Load a package that begins with these entries; return the position of its last one."""
        with explained(self.landing):
            context = self._job.begin(self.landing, self._progress, self._now)
            types = sorted({name for taker in self._takers.values() for name in taker.event_types})
            rows = EventRows(context, types)
            position, others = first[-1].position, []
            for part in self._parts(first):
                position = part[-1].position
                self._bytes_read += sum(len(stored.entry.body) for stored in part)
                context.progress(self._bytes_read, self._bytes_read + BYTES_PER_PART)
                others.append(rows.add(_columns(part, True), _columns(part, False)))
                if sum(table.nbytes for table in others) >= BYTES_FOR_PLUGINS:
                    break
            events = pa.concat_tables(others)
            for name, plugin in self._takers.items():
                self._hand_over(name, plugin, events)
            # the bookmark stays where it is while somebody still has to take these events
            marks = () if self.failures else ((self._store.log_id, position),)
            self._job.load(context, EventsPlugin.version, rows.finish(marks))
            self._note(self._job, context)
            shutil.rmtree(self.landing)
            context.progress(self._bytes_read, self._bytes_read)
        pa.default_memory_pool().release_unused()
        return position

    def _parts(self, part: Sequence[StoredEntry]) -> Iterator[Sequence[StoredEntry]]:
        """Yield parts, the first one and more of the store until a package is full."""
        size = 0
        while part and size < BYTES_PER_PACKAGE:
            yield part
            size += sum(len(stored.entry.body) for stored in part)
            part = self._store.read(part[-1].position, BYTES_PER_PART)

    def _hand_over(self, name: str, plugin: type[SourcePlugin[Any]], events: pa.Table) -> None:
        """Load what a plugin makes of the events of its types."""
        types = pa.array(list(plugin.event_types), pa.string())
        taken = events.filter(pc.is_in(events.column("event_type"), types))
        if not taken.num_rows:
            return
        landing = self.landing / name
        try:
            with explained(landing):
                values = source_configuration(self._settings.customer, name)
                config = validated(plugin.configuration, values, name)
                job = Job(self._settings, self._job.warehouse, name)
                job.finish_pending_package()
                context = job.begin(landing, self._progress, self._now)
                if resources := list(plugin(config, context).handle_events(taken)):
                    job.load(context, plugin.version, resources)
                    self._note(job, context)
                shutil.rmtree(landing)
        except MindweaveError as error:
            self.failures[name] = error

    def _note(self, job: Job, context: LoadContext) -> None:
        before = self.results.get(job.source)
        counts = before.counts if before else RowCounts()
        counts.add(context.counts)
        seconds = job.seconds + (before.seconds if before else 0)
        self.results[job.source] = LoadResult(job.source, context.load_id, counts, seconds)


def _columns(part: Sequence[StoredEntry], is_of_events: bool) -> pa.Table:
    """Return the entries of a part that are events, or its telemetry."""
    entries = [stored.entry for stored in part if (stored.entry.kind == "events") == is_of_events]
    return pa.table(
        {
            "body": _texts([entry.body for entry in entries]),
            "kind": pa.array([entry.kind for entry in entries], pa.string()),
            "received_at": pa.array([entry.received_at for entry in entries], TIME),
        }
    )


def _texts(bodies: Sequence[bytes]) -> pa.Array:
    try:
        return pa.array(bodies, pa.large_string())
    except pa.ArrowInvalid:  # one that is not UTF-8 must not hold up all that come after it
        return pa.array([body.decode("utf-8", "replace") for body in bodies], pa.large_string())
