"""One run per customer and warehouse at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError


@contextmanager
def exclusive_run(settings: Settings) -> Iterator[None]:
    """Hold the run's lock; raise MindweaveError where another run holds it.

    A DuckDB file has one writer, so its customers share a lock. A server is locked in the database
    itself, as the other run may be on another machine.
    """
    warehouse = warehouse_at(settings.warehouse_url)
    busy = MindweaveError(
        f"another run of customer {settings.customer} is writing to {warehouse.label}: "
        "wait until it is done, then run this again"
    )
    scope = warehouse.identity
    if warehouse.engine != "duckdb":
        scope += f"-{settings.customer}"
    warehouse.check()
    folder = settings.home / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MindweaveError(
            f"cannot write to {settings.home}: {error.strerror}; set MINDWEAVE_HOME"
        ) from None
    try:
        with (
            FileLock(folder / f"{scope}.lock", timeout=0),
            warehouse.advisory_lock(settings.raw_schema) as is_free,
        ):
            if not is_free:
                raise busy
            yield
    except Timeout:
        raise busy from None
