"""Load sources into a customer's raw schema: one plugin, one dlt package at a time."""

import contextlib
import errno
import importlib
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from dlt_pipelines.config import (
    Settings,
    fingerprint_settings,
    source_configuration,
    validated,
)
from dlt_pipelines.destinations import MissingRelationError, Warehouse, disk_full, warehouse_at
from dlt_pipelines.duckdb_warehouse import explain_duckdb
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.landing import (
    CANONICAL_TABLES,
    CONTENT_FINGERPRINTS,
    EXPECTATION_RESULTS,
    LOADS,
    MONTH_CLOSES,
    QUARANTINE,
    RawTable,
)
from dlt_pipelines.plugin import LoadContext, RowCounts, find_plugin, installed_plugins
from dlt_pipelines.privacy import customer_key

if TYPE_CHECKING:
    import dlt

# dlt reads these when it is imported: no telemetry, and no state but what the warehouse has
DLT_ENVIRONMENT = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "RESTORE_FROM_DESTINATION": "false",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
}

# rows of ours, to which dlt adds columns of its own; all other tables are filled with whole files
TABLES_OF_ROWS = (LOADS, EXPECTATION_RESULTS, MONTH_CLOSES)
TABLES_OF_EVERY_LOAD = (*TABLES_OF_ROWS, QUARANTINE, CONTENT_FINGERPRINTS, *CANONICAL_TABLES)

SLOW_IMPORTS = ("dlt", "dlt.sources.helpers.requests", "sqlalchemy")


@dataclass(frozen=True)
class LoadResult:
    """What one source's load did; ``load_id`` is None where nothing was new, else the last one."""

    source: str
    load_id: str | None
    counts: RowCounts
    seconds: float


@dataclass
class LoadOutcome:
    """What became of several sources."""

    results: list[LoadResult] = field(default_factory=list)
    failures: dict[str, MindweaveError] = field(default_factory=dict)


def load_source(
    settings: Settings,
    source: str,
    overrides: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    now: datetime | None = None,
) -> LoadResult:
    """Load what is new in one source; ``overrides`` win over its configuration.

    Safe to repeat, also after a kill: a package that was under way is finished first. ``now`` is
    the time that the run goes by, in UTC and without zone.
    """
    started = time.monotonic()
    plugin_class = find_plugin(source)
    values = source_configuration(settings.customer, source) | (overrides or {})
    config = validated(plugin_class.configuration, values, source)
    job = Job(settings, warehouse_at(settings.warehouse_url), source)
    job.finish_pending_package()
    landing = settings.home / "landing" / f"{settings.customer}-{source}"
    result = LoadResult(source=source, load_id=None, counts=RowCounts(), seconds=0)
    is_complete = False
    with explained(landing):
        while not is_complete:
            context = job.begin(landing, progress, now)
            plugin = plugin_class(config, context)
            resources = list(plugin.fetch())
            result.counts.add(context.counts)
            is_complete = plugin.is_complete or not resources
            if not resources:
                continue
            result = replace(result, load_id=context.load_id)
            job.load(context, plugin_class.version, resources)
        shutil.rmtree(landing)
    return replace(result, seconds=time.monotonic() - started)


def load_rows(settings: Settings, name: str, table: RawTable, rows: list[dict[str, Any]]) -> None:
    """Add a few rows that no source brings, as the dlt pipeline ``name``."""
    job = Job(settings, warehouse_at(settings.warehouse_url), name)
    job.finish_pending_package()
    with explained(job.folder):
        job.run([_rows(table, rows)])


def finish_rows(settings: Settings, name: str) -> None:
    """Load what `load_rows` was loading as ``name`` when it was killed."""
    Job(settings, warehouse_at(settings.warehouse_url), name).finish_pending_package()


def make_missing_tables(settings: Settings) -> bool:
    """Make the raw tables and columns that models read and no load has made; tell if any were.

    An older version loaded without them, or a source was installed that has not loaded yet.
    """
    warehouse = warehouse_at(settings.warehouse_url)
    plugins = installed_plugins().values()
    tables = [*TABLES_OF_EVERY_LOAD, *(table for plugin in plugins for table in plugin.tables)]
    there = _raw_columns(warehouse, settings.raw_schema)
    missing = [table for table in tables if table.columns.keys() - there.get(table.name, set())]
    if not missing:
        return False
    job = Job(settings, warehouse, "missing_tables")
    with explained(job.folder):
        if of_rows := [_rows(table, []) for table in missing if table in TABLES_OF_ROWS]:
            job.run(of_rows)
        job.make_tables([table for table in missing if table not in TABLES_OF_ROWS])
    return True


def _raw_columns(warehouse: Warehouse, schema: str) -> dict[str, set[str]]:
    """Return the names of the columns of each raw table that is there."""
    try:
        rows = warehouse.query(
            "select table_name as name, column_name as part from information_schema.columns "
            f"where table_schema = '{schema}'"
        ).to_pylist()
    except MissingRelationError:
        return {}
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["name"], set()).add(row["part"])
    return found


class Job:
    """The dlt pipeline of one customer and source, imported only when it has work."""

    def __init__(self, settings: Settings, warehouse: Warehouse, source: str) -> None:
        """Begin nothing yet."""
        self.settings = settings
        self.warehouse = warehouse
        self.name = f"{settings.customer}__{source}"
        self.source = source
        self.folder = settings.home / "dlt" / warehouse.identity
        self._started_at = datetime.now(UTC).replace(tzinfo=None)
        self._started = time.monotonic()
        os.environ |= DLT_ENVIRONMENT

    def begin(
        self, landing: Path, progress: Callable[[int, int], None], now: datetime | None
    ) -> LoadContext:
        """Begin a load: return what its plugin may know, with an empty folder to land in."""
        shutil.rmtree(landing, ignore_errors=True)  # what a killed run left
        landing.mkdir(parents=True)
        self._started_at = datetime.now(UTC).replace(tzinfo=None)
        self._started = time.monotonic()
        return LoadContext(
            customer=self.settings.customer,
            load_id=uuid.uuid4().hex,
            home=self.settings.home,
            key=customer_key(self.settings.home, self.settings.customer),
            bulk_format=self.warehouse.bulk_format,
            landing=landing,
            read_raw=self.read_raw,
            progress=_importing_dlt_meanwhile(progress),
            now=now or self._started_at,
            fingerprints=fingerprint_settings(self.settings.customer),
        )

    @property
    def seconds(self) -> float:
        """How long ago the load began."""
        return time.monotonic() - self._started

    def load(self, context: LoadContext, version: str, resources: Sequence[Any]) -> None:
        """Load what the plugin returned, with the row that says what the load met."""
        row = {
            "load_id": context.load_id,
            "source": self.source,
            "plugin_version": version,
            "started_at": self._started_at,
            "finished_at": datetime.now(UTC).replace(tzinfo=None),
            "seconds": round(self.seconds, 3),
            **asdict(context.counts),
        }
        self.run(
            [
                *resources,
                _rows(LOADS, [row]),
                # what is written later, so that it is always there to be read
                _rows(EXPECTATION_RESULTS, []),
                _rows(MONTH_CLOSES, []),
            ]
        )

    def read_raw(self, sql: str) -> pa.Table | None:
        """Run a query in the raw schema; None where nothing landed yet."""
        try:
            return self.warehouse.query(sql.format(raw=self.settings.raw_schema))
        except MissingRelationError:
            return None

    def finish_pending_package(self) -> None:
        """Load what was under way when a run was killed."""
        extracted = self.folder / self.name / "normalize" / "extracted"
        normalized = self.folder / self.name / "load" / "normalized"
        if not (_has_entries(extracted) or _has_entries(normalized)):
            return
        for package in extracted.glob("*"):
            # killed between the steps: the second comes whole, and only then the first is removed
            if (normalized / package.name).exists():
                shutil.rmtree(package)
        pipeline = self.pipeline()
        try:
            # a package that a kill damaged is read anew: its bookmarks do not count yet
            with contextlib.suppress(Exception):
                pipeline.normalize()
            with explained(self.folder):
                self.warehouse.load_packages(pipeline)
        finally:
            if pipeline.has_pending_data:
                pipeline.abort_packages()

    def run(self, resources: list[Any]) -> None:
        """Load resources as one package."""
        pipeline = self.pipeline()
        import dlt

        self.warehouse.create_schema(self.settings.raw_schema)
        source = dlt.source(lambda: resources, name=self.source)()
        pipeline.extract(source, loader_file_format=self.warehouse.bulk_format)
        pipeline.normalize()
        self.warehouse.load_packages(pipeline)

    def make_tables(self, tables: Sequence[RawTable]) -> None:
        """Make tables that files will fill; a package without rows would take seconds."""
        pipeline = self.pipeline()
        import dlt

        self.warehouse.create_schema(self.settings.raw_schema)
        schema = dlt.Schema(self.source)
        for table in tables:
            resource = dlt.resource([], name=table.name, write_disposition="append")
            schema.update_table(table.adapt(resource).compute_table_schema())
        pipeline.schemas.save_schema(schema)
        pipeline.default_schema_name = schema.name  # type: ignore[assignment]
        self.warehouse.make_raw_tables(pipeline)

    def pipeline(self) -> "dlt.Pipeline":
        """Return the pipeline as dlt knows it."""
        import dlt

        return dlt.pipeline(
            pipeline_name=self.name,
            pipelines_dir=str(self.folder),
            destination=self.warehouse.dlt_destination(self.settings.raw_schema),
            dataset_name=self.warehouse.dataset_name(self.settings.raw_schema),  # type: ignore[arg-type]
        )


@contextmanager
def explained(folder: Path, work: str = "loading") -> Iterator[None]:
    """Turn what dlt, DuckDB and the disk raise into one line that says what to do."""
    try:
        yield
    except MindweaveError:
        raise
    except Exception as error:
        causes = _causes(error)
        if isinstance(causes[-1], KeyboardInterrupt):  # dlt makes an error of it
            raise KeyboardInterrupt from None
        raise _explanation(causes, folder, work) from error


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error, and what led to it, one after the other."""
    causes = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    return causes


def _explanation(causes: Sequence[BaseException], folder: Path, work: str) -> MindweaveError:
    texts = " ".join(str(cause) for cause in causes)
    if any(isinstance(cause, OSError) and cause.errno == errno.ENOSPC for cause in causes) or (
        "No space left" in texts
    ):
        return disk_full(folder)
    for cause in causes:
        if isinstance(cause, duckdb.IOException):
            return explain_duckdb(cause, folder)
    reason = next(iter(str(causes[-1]).splitlines()), "no reason given")
    return MindweaveError(f"{work} failed ({type(causes[-1]).__name__}): {reason[:200]}")


def _importing_dlt_meanwhile(
    progress: Callable[[int, int], None],
) -> Callable[[int, int], None]:
    """Import dlt and what it imports late, beside the reading that the first progress announces."""
    importing = threading.Thread(
        target=lambda: [importlib.import_module(name) for name in SLOW_IMPORTS], daemon=True
    )

    def report(done: int, total: int) -> None:
        if importing.ident is None:
            importing.start()
        progress(done, total)

    return report


def _rows(table: RawTable, rows: list[dict[str, Any]]) -> Any:
    """Return a few rows as a resource; the table is made even for none."""
    import dlt

    def items() -> Iterator[Any]:
        yield dlt.mark.materialize_table_schema()
        yield from rows

    return table.adapt(dlt.resource(items, name=table.name, write_disposition="append"))


def _has_entries(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
