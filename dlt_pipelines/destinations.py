"""The warehouse of a run, named by one URL: a DuckDB file, PostgreSQL or ClickHouse."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import pyarrow as pa

from dlt_pipelines.errors import MindweaveError, UsageError

if TYPE_CHECKING:
    import dlt
    from dlt.common.destination import TDestinationReferenceArg

Engine = Literal["duckdb", "postgres", "clickhouse"]
BulkFormat = Literal["parquet", "csv"]


class Warehouse(ABC):
    """One engine's way to do what loading, checking, building and publishing need of it."""

    engine: ClassVar[Engine]
    bulk_format: ClassVar[BulkFormat] = "parquet"
    """The file format that this engine takes in bulk."""

    def __init__(self, url: str) -> None:
        """Take the URL; connect to nothing yet."""
        self.url = url

    @property
    @abstractmethod
    def label(self) -> str:
        """What messages call the warehouse: never with a password."""

    @property
    def identity(self) -> str:
        """A short name for files that belong to this warehouse: locks, state of pipelines."""
        return hashlib.sha256(self.label.encode()).hexdigest()[:12]

    @abstractmethod
    def check(self) -> None:
        """Raise MindweaveError where the warehouse cannot be reached, or is too old."""

    @abstractmethod
    def create_schema(self, schema: str) -> None:
        """Make the schema where it is not there; raise MindweaveError where that is forbidden."""

    @abstractmethod
    def drop_schema(self, schema: str) -> None:
        """Drop the schema with all that is in it; do nothing where there is none."""

    @abstractmethod
    def query(self, sql: str) -> pa.Table:
        """Run a query and return its rows as Arrow, times in UTC and without a zone.

        Raises MissingRelationError where a table or schema is not there yet, and another
        MindweaveError where the warehouse cannot be reached.
        """

    @contextmanager
    def advisory_lock(self, name: str) -> Iterator[bool]:
        """Hold a lock in the server while the block runs; yield False where another holds it."""
        yield True  # a file has one writer anyway

    @abstractmethod
    def dlt_destination(self, schema: str) -> "TDestinationReferenceArg":
        """Return the dlt destination that loads into ``schema``."""

    def dataset_name(self, schema: str) -> str | None:
        """Return what dlt calls ``schema``."""
        return schema

    def make_raw_tables(self, pipeline: "dlt.Pipeline") -> None:
        """Make the tables and columns of the pipeline's schema that are not there yet."""
        with pipeline.destination_client() as client:
            client.initialize_storage()
            client.update_stored_schema()

    def load_packages(self, pipeline: "dlt.Pipeline") -> None:
        """Load what the pipeline has normalized."""
        pipeline.load(raise_on_failed_jobs=True)

    @abstractmethod
    def dbt_environment(self) -> dict[str, str]:
        """Return the variables with which the repository's dbt profile reaches this warehouse."""


def warehouse_at(url: str) -> Warehouse:
    """Return the warehouse that ``url`` names; raise UsageError for a scheme that no engine has."""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme == "duckdb":
        from dlt_pipelines.duckdb_warehouse import DuckDBWarehouse

        return DuckDBWarehouse(url)
    if scheme in ("postgresql", "postgres"):
        from dlt_pipelines.postgres_warehouse import PostgresWarehouse

        return PostgresWarehouse(url)
    if scheme == "clickhouse":
        from dlt_pipelines.clickhouse_warehouse import ClickHouseWarehouse

        return ClickHouseWarehouse(url)
    raise UsageError(
        f"MINDWEAVE_WAREHOUSE: unknown scheme {scheme!r}; use a DuckDB path, postgresql://… or "
        "clickhouse://…"
    )


class MissingRelationError(MindweaveError):
    """A table or schema that a query names does not exist yet."""


def disk_full(path: Path) -> MindweaveError:
    """Return the error for a disk with no room left."""
    return MindweaveError(
        f"no space left on the disk of {path}: free some, or set MINDWEAVE_HOME to another disk; "
        "nothing was lost, the next run goes on"
    )
