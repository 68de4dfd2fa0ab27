"""The hourly flow, under Prefect: order, retries and reporting only; the work is in steps.py."""

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State, TaskRun

from dlt_pipelines.config import configured_sources, read_settings
from dlt_pipelines.errors import MindweaveError, UnreachableError
from dlt_pipelines.load import LoadOutcome, LoadResult
from flows import steps
from flows.checks import ChecksProcess
from flows.locks import exclusive_run


def _is_network_failure(task: object, run: TaskRun, state: State) -> bool:
    """Retry only what waiting can mend."""
    try:
        state.result()
    except UnreachableError:
        return True
    except Exception:
        return False
    return False


@task(retries=3, retry_delay_seconds=[10, 60, 300], retry_condition_fn=_is_network_failure)
def load(customer: str, source: str) -> LoadResult | None:
    """Load what is new in one source."""
    return steps.load_one(read_settings(customer), source)


@task
def drain(customer: str) -> LoadOutcome:
    """Load what was pushed; what fails waits for the next hour."""
    return steps.drain_events(read_settings(customer))


@task
def check(customer: str, loads: list[tuple[str, str]]) -> int:
    """Check what landed; return how many critical expectations failed."""
    with ChecksProcess() as process:
        results = steps.check_loads(read_settings(customer), loads, process)
    return sum(not result.is_success and result.severity == "critical" for result in results)


@task
def build(customer: str) -> None:
    """Build and test every model."""
    steps.build_models(read_settings(customer))


@task
def publish(customer: str) -> str:
    """Publish the customer's site."""
    return str(steps.publish_site(read_settings(customer)))


@flow(name="refresh")
def refresh(customer: str) -> None:
    """Bring one customer up to date: drain → load → check → build → publish.

    A broken source does not stop the others; the run still ends red.
    """
    settings = read_settings(customer)
    with exclusive_run(settings):
        sources = configured_sources(customer)
        drained = drain(customer)
        states = [load(customer, source, return_state=True) for source in sources]
        failed = [
            *drained.failures,
            *(source for source, state in zip(sources, states, strict=True) if state.is_failed()),
        ]
        loaded = [state.result() for state in states if state.is_completed()]
        results = [*drained.results, *filter(None, loaded)]
        unchecked = steps.unchecked_loads(settings) if results else []
        failed_checks = check(customer, unchecked) if unchecked else 0
        if results and steps.needs_build(settings):
            build(customer)
        if steps.needs_site(settings):
            get_run_logger().info("site: %s", publish(customer))
    if failed:
        raise MindweaveError(f"sources failed: {', '.join(failed)}")
    if failed_checks:
        raise MindweaveError(f"{failed_checks} critical expectations failed on what landed")
