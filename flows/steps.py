"""The steps of a run, as plain functions: load → check what landed → build → publish.

`mindweave run` calls `run_once`; the scheduled flow calls the same steps as Prefect tasks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlt_pipelines.config import Settings, configured_sources, has_no_source
from dlt_pipelines.destinations import MissingRelationError, warehouse_at
from dlt_pipelines.drain import drain
from dlt_pipelines.errors import MindweaveError, NothingFoundError
from dlt_pipelines.event_store.opening import has_store
from dlt_pipelines.expectations import has_suites
from dlt_pipelines.load import LoadOutcome, LoadResult, load_source, make_missing_tables
from dlt_pipelines.sources.events import EventsPlugin
from flows.build import Builder, BuildProcess, current_state, last_built_at, last_state
from flows.checks import CheckResult, ChecksProcess, record_results

Progress = Callable[[int, int], None]

UNCHECKED_LOADS = """
select distinct
    loads.source,
    loads.load_id
from {raw}.loads as loads
inner join {raw}._dlt_loads as packages
    on loads._dlt_load_id = packages.load_id and packages.status = 0
where loads.load_id not in (select checked.load_id from {raw}.expectation_results as checked)
"""


def load_sources(
    settings: Settings,
    sources: Sequence[str] = (),
    overrides: dict[str, Any] | None = None,
    progress: Progress = lambda done, total: None,
) -> LoadOutcome:
    """Drain the event store, then load the named sources, or the configured ones.

    A broken one does not stop the others.
    """
    outcome = drain_events(settings, progress)
    for source in sources or configured_sources(settings.customer):
        if source == EventsPlugin.name:
            continue  # that was the first step
        try:
            if result := load_one(settings, source, overrides, progress, is_named=bool(sources)):
                outcome.results.append(result)
        except MindweaveError as error:
            outcome.failures[source] = error
    if any(result.load_id for result in outcome.results):
        # dbt, which may be next, reads the tables of every source
        make_missing_tables(settings)
    return outcome


def drain_events(settings: Settings, progress: Progress = lambda done, total: None) -> LoadOutcome:
    """Load what was pushed, where anything ever was."""
    try:
        return drain(settings, progress)
    except MindweaveError as error:
        return LoadOutcome(failures={EventsPlugin.name: error})


def load_one(
    settings: Settings,
    source: str,
    overrides: dict[str, Any] | None = None,
    progress: Progress = lambda done, total: None,
    *,
    is_named: bool = False,
) -> LoadResult | None:
    """Load one source.

    None where nobody named it, it finds nothing on this machine, and events are pushed instead.
    """
    try:
        return load_source(settings, source, overrides, progress)
    except NothingFoundError:
        if is_named or overrides or not (has_no_source(settings.customer) and has_store(settings)):
            raise
        return None


def unchecked_loads(settings: Settings) -> list[tuple[str, str]]:
    """Return source and load id of what landed and was not checked: now, or before a kill."""
    warehouse = warehouse_at(settings.warehouse_url)
    try:
        rows = warehouse.query(UNCHECKED_LOADS.format(raw=settings.raw_schema)).to_pylist()
    except MissingRelationError:
        return []
    return [(row["source"], row["load_id"]) for row in rows if has_suites(row["source"])]


def check_loads(
    settings: Settings, loads: Sequence[tuple[str, str]], process: ChecksProcess
) -> list[CheckResult]:
    """Check what landed and keep the results, which become a page of the site."""
    results = process.run(settings.warehouse_url, settings.raw_schema, loads)
    record_results(settings, results)
    return results


def needs_build(settings: Settings) -> bool:
    """Tell whether data or models changed since the last build."""
    return current_state(settings) != last_state(settings)


def needs_site(settings: Settings) -> bool:
    """Tell whether the marts are newer than the site, which may be none: publishing can fail."""
    built_at, site = last_built_at(settings), site_folder(settings)
    if built_at is None:
        return False
    # the link itself is as old as the site behind it
    return not site.exists() or site.lstat().st_mtime < built_at


def build_models(settings: Settings) -> None:
    """Build and test every model."""
    Builder(settings).build()


def publish_site(settings: Settings, out: Path | None = None, base_path: str = "") -> Path:
    """Build the customer's site from its public marts and return where it is.

    ``out`` is another folder than the usual one; ``base_path`` is where a host will serve it.
    """
    from flows.publish import publish

    warehouse = warehouse_at(settings.warehouse_url)
    warehouse.check()
    return publish(
        warehouse.query,
        settings.customer,
        out or site_folder(settings),
        manifest=manifest_path(settings),
        base_path=base_path,
    )


def manifest_path(settings: Settings) -> Path:
    """Return what dbt writes of the models that it built."""
    return settings.home / "dbt" / settings.customer / "manifest.json"


def site_folder(settings: Settings) -> Path:
    """Return where the customer's site is, or will be."""
    return settings.home / "site" / settings.customer


@dataclass
class RunOutcome:
    """What a whole run did."""

    load: LoadOutcome
    checks: list[CheckResult] = field(default_factory=list)
    was_built: bool = False
    failure: MindweaveError | None = None
    """What ended the run after the load, of which there is still something to tell."""

    @property
    def failed_checks(self) -> list[CheckResult]:
        """Checks whose failure makes the run end red."""
        return [
            check for check in self.checks if not check.is_success and check.severity == "critical"
        ]


def load_check_build(
    settings: Settings,
    sources: Sequence[str] = (),
    overrides: dict[str, Any] | None = None,
    progress: Progress = lambda done, total: None,
) -> RunOutcome:
    """Load, check and build; build only where there is something new.

    Great Expectations and dbt take seconds to import, so both get ready while lines are read.
    """
    helpers = _Helpers(settings)
    try:
        outcome = RunOutcome(
            load_sources(settings, sources, overrides, helpers.started_by(progress))
        )
        try:
            if outcome.load.results and (unchecked := unchecked_loads(settings)):
                outcome.checks = check_loads(settings, unchecked, helpers.checks())
            if outcome.load.results and needs_build(settings):
                helpers.build()
                outcome.was_built = True
        except MindweaveError as error:
            outcome.failure = error
        return outcome
    finally:
        helpers.close()


class _Helpers:
    """The processes that check and build, started as soon as a load finds something to read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._checks: ChecksProcess | None = None
        self._build: BuildProcess | None = None

    def started_by(self, progress: Progress) -> Progress:
        def report(done: int, total: int) -> None:
            self.checks()
            self._build = self._build or BuildProcess(self._settings)
            progress(done, total)

        return report

    def checks(self) -> ChecksProcess:
        self._checks = self._checks or ChecksProcess()
        return self._checks

    def build(self) -> None:
        if self._build:
            self._build.build()
        else:
            build_models(self._settings)

    def close(self) -> None:
        for process in (self._checks, self._build):
            if process:
                process.close()
