"""The warehouse of a run: the one place that knows which engine a URL means."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

import duckdb
import pyarrow as pa

from dlt_pipelines.errors import MindweaveError, UnreachableError, UsageError

if TYPE_CHECKING:
    from dlt.common.destination import TDestinationReferenceArg

Engine = Literal["duckdb", "postgres"]
BulkFormat = Literal["parquet", "csv"]

# PostgreSQL's type numbers (pg_type.oid) as Arrow types; what is not here is read as text
POSTGRES_ARROW_TYPES = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int64(),
    23: pa.int64(),
    701: pa.float64(),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", tz="UTC"),
    1700: pa.decimal128(38, 15),
}


@dataclass(frozen=True)
class Warehouse:
    """A DuckDB file or a PostgreSQL database, named by one URL."""

    url: str

    @property
    def engine(self) -> Engine:
        """Return the engine; raise UsageError for a scheme that no engine has."""
        scheme, separator, _ = self.url.partition("://")
        if not separator:
            return "duckdb"
        if scheme == "duckdb":
            return "duckdb"
        if scheme in ("postgresql", "postgres"):
            return "postgres"
        raise UsageError(
            f"MINDWEAVE_WAREHOUSE: unknown scheme {scheme!r}; use a DuckDB path or postgresql://…"
        )

    @cached_property
    def path(self) -> Path:
        """The DuckDB file."""
        return Path(self.url.removeprefix("duckdb://")).expanduser().resolve()

    @property
    def label(self) -> str:
        """What messages call the warehouse: never with a password."""
        if self.engine == "duckdb":
            return str(self.path)
        parts = urlsplit(self.url)
        return f"postgresql://{parts.hostname}{parts.path}"

    @property
    def identity(self) -> str:
        """A short name for files that belong to this warehouse: locks, state of pipelines."""
        return hashlib.sha256(self.label.encode()).hexdigest()[:12]

    @property
    def bulk_format(self) -> BulkFormat:
        """The file format that this engine takes in bulk."""
        return "parquet" if self.engine == "duckdb" else "csv"

    def dlt_destination(self) -> "TDestinationReferenceArg":
        """Return the dlt destination."""
        import dlt

        if self.engine == "duckdb":
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return dlt.destinations.duckdb(str(self.path))
        return dlt.destinations.postgres(self.url)

    def dbt_environment(self) -> dict[str, str]:
        """Return the variables with which the repository's dbt profile reaches this warehouse."""
        if self.engine == "duckdb":
            return {"MINDWEAVE_TARGET": "duckdb", "MINDWEAVE_WAREHOUSE": str(self.path)}
        parts = urlsplit(self.url)
        return {
            "MINDWEAVE_TARGET": "postgres",
            "PGHOST": parts.hostname or "localhost",
            "PGPORT": str(parts.port or 5432),
            "PGUSER": unquote(parts.username or os.environ.get("PGUSER", "")),
            "PGPASSWORD": unquote(parts.password or os.environ.get("PGPASSWORD", "")),
            "PGDATABASE": parts.path.lstrip("/"),
        }

    def exists(self) -> bool:
        """Tell whether there can be anything to read; a server always exists."""
        return self.engine != "duckdb" or self.path.exists()

    def query(self, sql: str) -> pa.Table:
        """Run a query and return its rows as Arrow.

        Raises MissingRelationError where a table or schema is not there yet, and another
        MindweaveError where the warehouse cannot be reached.
        """
        if not self.exists():
            raise MissingRelationError(f"there is no warehouse {self.label} yet")
        if self.engine == "duckdb":
            with self._duckdb() as connection:
                try:
                    return connection.execute(sql).to_arrow_table()
                except duckdb.CatalogException as error:
                    raise MissingRelationError(str(error).splitlines()[0]) from None
        return self._query_postgres(sql)

    @contextmanager
    def _duckdb(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            connection = duckdb.connect(self.path, read_only=True)
        except duckdb.IOException as error:
            raise explain_duckdb(error, self.path) from None
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def advisory_lock(self, name: str) -> Iterator[bool]:
        """Hold a lock in the server while the block runs; yield False where another holds it.

        A DuckDB file needs none: it has one writer anyway.
        """
        if self.engine == "duckdb":
            yield True
            return
        connection = self._postgres()
        try:
            with connection.cursor() as cursor:
                cursor.execute("select pg_try_advisory_lock(hashtext(%s))", [f"mindweave {name}"])
                row = cursor.fetchone()
            connection.commit()
            yield bool(row and row[0])
        finally:
            connection.close()

    def _query_postgres(self, sql: str) -> pa.Table:
        import psycopg2.errors

        connection = self._postgres()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return _arrow_table(cursor.description or (), cursor.fetchall())
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName) as error:
            raise MissingRelationError(str(error).splitlines()[0]) from None
        finally:
            connection.close()

    def _postgres(self) -> Any:
        import psycopg2

        try:
            return psycopg2.connect(self.url)
        except psycopg2.OperationalError as error:
            raise UnreachableError(
                f"cannot reach {self.label}: {str(error).strip().splitlines()[0]}; "
                "check MINDWEAVE_WAREHOUSE"
            ) from None
        except psycopg2.ProgrammingError:  # its text quotes the URL, password included
            raise UsageError(
                "MINDWEAVE_WAREHOUSE is no URL of a PostgreSQL database: use "
                "postgresql://user:password@host/database"
            ) from None


class MissingRelationError(MindweaveError):
    """A table or schema that a query names does not exist yet."""


def explain_duckdb(error: duckdb.Error, path: Path) -> MindweaveError:
    """Turn DuckDB's error on opening a file into a line that says what to do."""
    text = str(error)
    if "lock" in text.lower():
        return MindweaveError(
            f"the warehouse {path} is in use by another process: wait for it, or close it"
        )
    if "No space left" in text:
        return disk_full(path)
    if "not a valid DuckDB database" in text:
        return MindweaveError(
            f"{path} is not a DuckDB file: move it away or set MINDWEAVE_WAREHOUSE"
        )
    return MindweaveError(f"cannot open the warehouse {path}: {text.splitlines()[0]}")


def disk_full(path: Path) -> MindweaveError:
    """Return the error for a disk with no room left."""
    return MindweaveError(
        f"no space left on the disk of {path}: free some, or set MINDWEAVE_HOME to another disk; "
        "nothing was lost, the next run goes on"
    )


def _arrow_table(description: Any, rows: list[tuple[Any, ...]]) -> pa.Table:
    names = [column.name for column in description]
    types = [POSTGRES_ARROW_TYPES.get(column.type_code, pa.string()) for column in description]
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in names]
    arrays = [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
    return pa.table(dict(zip(names, arrays, strict=True)))
