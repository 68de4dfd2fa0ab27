"""A PostgreSQL database as the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg2
import psycopg2.errors
import pyarrow as pa

from dlt_pipelines.destinations import MissingRelationError, Warehouse
from dlt_pipelines.errors import MindweaveError, UnreachableError, UsageError

if TYPE_CHECKING:
    from dlt.common.destination import TDestinationReferenceArg

OLDEST_VERSION = 15

# PostgreSQL's type numbers (pg_type.oid) as Arrow types; what is not here is read as text
ARROW_TYPES = {
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


class PostgresWarehouse(Warehouse):
    """A database, with libpq's parameters in its URL: ``?sslmode=verify-full`` and the like."""

    engine = "postgres"
    bulk_format = "csv"

    @property
    def label(self) -> str:
        """Host, port where it is named, and database."""
        parts = urlsplit(self.url)
        place = parts.netloc.rpartition("@")[2]
        return f"postgresql://{place}{parts.path}"

    def check(self) -> None:
        """Connect; PostgreSQL before version 15 lacks what the models need."""
        connection = self.connect()
        version = connection.server_version // 10000
        connection.close()
        if version < OLDEST_VERSION:
            raise MindweaveError(
                f"{self.label} is PostgreSQL {version}: the models need {OLDEST_VERSION} or newer"
            )

    def create_schema(self, schema: str) -> None:
        """Make the schema; only a missing one asks for the right to."""
        with self._cursor() as cursor:
            cursor.execute("select 1 from pg_namespace where nspname = %s", [schema])
            if cursor.fetchone():
                return
            try:
                cursor.execute(f'create schema if not exists "{schema}"')
            except psycopg2.errors.InsufficientPrivilege:
                raise MindweaveError(
                    f"no right to make the schema {schema} in {self.label}: "
                    "grant create on the database to this user, or make the schema for it"
                ) from None

    def drop_schema(self, schema: str) -> None:
        """Drop the schema and its tables; only its owner may."""
        try:
            with self._cursor() as cursor:
                cursor.execute(f'drop schema if exists "{schema}" cascade')
        except psycopg2.errors.InsufficientPrivilege:
            raise MindweaveError(
                f"no right to drop the schema {schema} in {self.label}: "
                "let its owner drop it, and grant create on the database to this user"
            ) from None

    def query(self, sql: str) -> pa.Table:
        """Run a query in a transaction of its own."""
        try:
            with self._cursor() as cursor:
                cursor.execute(sql)
                return _arrow_table(cursor.description or (), cursor.fetchall())
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName) as error:
            raise MissingRelationError(_first_line(error)) from None
        except psycopg2.errors.InsufficientPrivilege as error:
            raise MindweaveError(f"{self.label}: {_first_line(error)}") from None

    @contextmanager
    def advisory_lock(self, name: str) -> Iterator[bool]:
        """Hold PostgreSQL's own advisory lock, which ends with the connection."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("select pg_try_advisory_lock(hashtext(%s))", [f"mindweave {name}"])
                row = cursor.fetchone()
            connection.commit()
            yield bool(row and row[0])
        finally:
            connection.close()

    def dlt_destination(self, schema: str) -> "TDestinationReferenceArg":
        """Return the database as dlt's destination."""
        import dlt

        return dlt.destinations.postgres(self.url)

    def dbt_environment(self) -> dict[str, str]:
        """Return libpq's own variables, TLS included."""
        parts = urlsplit(self.url)
        tls = {
            f"PG{name.upper()}": value
            for name, value in parse_qsl(parts.query)
            if name.startswith("ssl")
        }
        return {
            "MINDWEAVE_TARGET": "postgres",
            "PGHOST": parts.hostname or "localhost",
            "PGPORT": str(parts.port or 5432),
            "PGUSER": unquote(parts.username or ""),
            "PGPASSWORD": unquote(parts.password or ""),
            "PGDATABASE": parts.path.lstrip("/"),
            **tls,
        }

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        connection = self.connect()
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def connect(self) -> Any:
        """Return a new psycopg2 connection; raise MindweaveError where there is none."""
        try:
            return psycopg2.connect(self.url)
        except psycopg2.OperationalError as error:
            raise UnreachableError(
                f"cannot reach {self.label}: {_first_line(error)}; check MINDWEAVE_WAREHOUSE"
            ) from None
        except psycopg2.ProgrammingError:  # its text quotes the URL, password included
            raise UsageError(
                "MINDWEAVE_WAREHOUSE is no URL of a PostgreSQL database: use "
                "postgresql://user:password@host/database"
            ) from None


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]


def _arrow_table(description: Any, rows: list[tuple[Any, ...]]) -> pa.Table:
    names = [column.name for column in description]
    types = [ARROW_TYPES.get(column.type_code, pa.string()) for column in description]
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in names]
    arrays = [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
    return pa.table(dict(zip(names, arrays, strict=True)))
