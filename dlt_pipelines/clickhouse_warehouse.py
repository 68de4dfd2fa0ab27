"""A ClickHouse server or cluster as the warehouse."""

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from dlt_pipelines.destinations import MissingRelationError, Warehouse
from dlt_pipelines.errors import MindweaveError, UnreachableError, UsageError

if TYPE_CHECKING:
    import dlt
    from dlt.common.destination import TDestinationReferenceArg

OLDEST_VERSION = (25, 3)

# what the client logs it also raises, and a user reads it in our one line
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

# the same SQL means the same as on the other engines, and a shard that is down is an error
SETTINGS = {
    "join_use_nulls": 1,
    "cast_keep_nullable": 1,
    "prefer_column_name_to_alias": 1,
    "union_default_mode": "DISTINCT",
    "distributed_product_mode": "global",
    "skip_unavailable_shards": 0,
    "distributed_foreground_insert": 1,
}

WHAT_TO_DO = {
    "AUTHENTICATION_FAILED": "check user and password in MINDWEAVE_WAREHOUSE",
    "WRONG_PASSWORD": "check user and password in MINDWEAVE_WAREHOUSE",
    "UNKNOWN_USER": "check user and password in MINDWEAVE_WAREHOUSE",
    "ACCESS_DENIED": "grant it to this user, or let an administrator make the database",
    "CLUSTER_DOESNT_EXIST": "check `cluster` in MINDWEAVE_WAREHOUSE against system.clusters",
    "BAD_GET": "check `cluster` in MINDWEAVE_WAREHOUSE against system.clusters",
    "ALL_CONNECTION_TRIES_FAILED": "a shard of the cluster is down: start it, then run this again",
    "NETWORK_ERROR": "a shard of the cluster is down: start it, then run this again",
    "SOCKET_TIMEOUT": "a shard of the cluster does not answer: look at it, then run this again",
}

# It lasts as long as somebody listens. Blocks are short, so that it ends soon when nobody does.
ENDLESS_QUERY = "select ignore(sleepEachRow(0.2)) from system.numbers"
LOCK_PATIENCE_SECONDS = 5
ENDLESS_SETTINGS: dict[str, Any] = {
    "max_block_size": 1,
    "max_threads": 1,
    "max_execution_time": 0,
    "cancel_http_readonly_queries_on_client_close": 1,
}

# a statement that dlt makes, split before and after the table's name
TABLE_STATEMENT = re.compile(
    r"\s*(CREATE TABLE|ALTER TABLE)(?: IF NOT EXISTS)? `([^`]+)`\.`([^`]+)`\s*"
)
COLUMN = re.compile(r"^(`[^`]+`) ", re.MULTILINE)

PLAIN_TYPES = {
    pa.uint8(): pa.int64(),
    pa.uint16(): pa.int64(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.int64(),
    pa.timestamp("us", tz="UTC"): pa.timestamp("us"),
}


class ClickHouseWarehouse(Warehouse):
    """A server, or a cluster that ``?cluster=`` names; a database is what others call a schema.

    dlt speaks ClickHouse's native protocol and HTTP, so the URL has the native port, and
    ``http_port`` where it is not the usual one.
    """

    engine = "clickhouse"

    def __init__(self, url: str) -> None:
        """Take the URL; raise UsageError for a parameter that means nothing."""
        super().__init__(url)
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        try:
            self.host = parts.hostname or "localhost"
            self.secure = options.pop("secure", "0") not in ("0", "false")
            self.port = parts.port or (9440 if self.secure else 9000)
            self.http_port = int(options.pop("http_port", "8443" if self.secure else "8123"))
        except ValueError:
            raise UsageError(
                "MINDWEAVE_WAREHOUSE is no URL of a ClickHouse: use "
                "clickhouse://user:password@host:9000/?http_port=8123"
            ) from None
        self.user = unquote(parts.username or "default")
        self.password = unquote(parts.password or "")
        self.cluster = options.pop("cluster", "")
        self.ca_certs = options.pop("ca_certs", None)
        if options:
            raise UsageError(
                f"MINDWEAVE_WAREHOUSE: ClickHouse has no parameter {', '.join(sorted(options))}; "
                "there are http_port, secure, ca_certs and cluster"
            )

    @property
    def label(self) -> str:
        """Host, port and cluster."""
        cluster = f" (cluster {self.cluster})" if self.cluster else ""
        return f"clickhouse://{self.host}:{self.port}{cluster}"

    def check(self) -> None:
        """Ask every shard for its version."""
        nodes = (
            f"clusterAllReplicas('{self.cluster}', system.one)" if self.cluster else "system.one"
        )
        for version in self.query(f"select distinct version() from {nodes}")[0].to_pylist():
            if tuple(map(int, version.split(".")[:2])) < OLDEST_VERSION:
                raise MindweaveError(
                    f"{self.label} is ClickHouse {version}: the models need "
                    f"{'.'.join(map(str, OLDEST_VERSION))} or newer"
                )

    def create_schema(self, schema: str) -> None:
        """Make the database, on every node of a cluster."""
        known = self.query(f"select name from system.databases where name = '{schema}'")
        if not known.num_rows:
            self.execute(f"create database if not exists {schema}{self.on_cluster}")

    def drop_schema(self, schema: str) -> None:
        """Drop the database, on every node of a cluster."""
        self.execute(f"drop database if exists {schema}{self.on_cluster} sync")

    def query(self, sql: str) -> pa.Table:
        """Run a query over HTTP, which answers in Arrow."""
        with self.explained():
            return _plain_types(self.client.query_arrow(sql, use_strings=True))

    def execute(self, statement: str) -> None:
        """Run a statement that returns no rows."""
        with self.explained():
            self.client.command(statement)

    @contextmanager
    def advisory_lock(self, name: str) -> Iterator[bool]:
        """Hold a query that never ends; no second one may have its name at the same time.

        The server cancels it when this process is gone, however it ended, but needs a moment to
        find out.
        """
        query_id = f"mindweave-run-{name}"
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        while (stream := self._endless_query(query_id)) is None:
            if time.monotonic() > deadline:
                yield False
                return
            time.sleep(0.2)
        try:
            yield True
        finally:
            self.execute(f"kill query where query_id = '{query_id}' sync")
            stream.close()

    def _endless_query(self, query_id: str) -> Any:
        """Start it, and return None where there is one already."""
        try:
            with self.explained():
                return self.client.raw_stream(
                    ENDLESS_QUERY, settings=ENDLESS_SETTINGS | {"query_id": query_id}
                )
        except _SameQueryIsRunningError:
            return None

    def dlt_destination(self, schema: str) -> "TDestinationReferenceArg":
        """Return the database as dlt's destination."""
        import dlt
        from dlt.destinations.impl.clickhouse.factory import ClickHouseTypeMapper

        class InUtc(ClickHouseTypeMapper):
            """Says that times are UTC, so that they do not depend on the server's own zone."""

            def to_db_datetime_type(self, column: Any, table: Any = None) -> str:
                return str(super().to_db_datetime_type(column | {"timezone": True}, table))

        credentials = {
            "host": self.host,
            "port": self.port,
            "http_port": self.http_port,
            "username": self.user,
            "password": self.password,
            "database": schema,
            "secure": int(self.secure),
            "query": {"ca_certs": self.ca_certs} if self.ca_certs else {},
        }
        os.environ |= self._tls_environment
        return dlt.destinations.clickhouse(credentials, type_mapper=InUtc)

    def dataset_name(self, schema: str) -> None:
        """Return None: with a dataset's name dlt would put it before the name of every table."""

    def make_raw_tables(self, pipeline: "dlt.Pipeline") -> None:
        """Make what is missing; on a cluster each table as a part on every node and a whole."""
        if self.cluster:
            with pipeline.destination_client() as client:
                clickhouse: Any = client
                stored = clickhouse.get_storage_tables(clickhouse.schema.tables)
                statements, _ = clickhouse._build_schema_update_sql(stored)
            for statement in statements:
                self._execute_distributed(statement)
        super().make_raw_tables(pipeline)  # finds nothing left to make on a cluster
        self._deliver(pipeline)

    def load_packages(self, pipeline: "dlt.Pipeline") -> None:
        """Load, and return when every shard has its rows."""
        if self.cluster:
            self.make_raw_tables(pipeline)
        super().load_packages(pipeline)
        self._deliver(pipeline)

    def dbt_environment(self) -> dict[str, str]:
        """Return what the profile's target ``clickhouse`` reads."""
        return {
            "MINDWEAVE_TARGET": "clickhouse",
            "CLICKHOUSE_HOST": self.host,
            "CLICKHOUSE_PORT": str(self.http_port),
            "CLICKHOUSE_USER": self.user,
            "CLICKHOUSE_PASSWORD": self.password,
            "CLICKHOUSE_SECURE": str(self.secure).lower(),
            "CLICKHOUSE_CLUSTER": self.cluster,
            **self._tls_environment,
        }

    @property
    def _tls_environment(self) -> dict[str, str]:
        """Return what names the certificate authority where there is no option for it."""
        return {"SSL_CERT_FILE": self.ca_certs} if self.ca_certs else {}

    def _execute_distributed(self, statement: str) -> None:
        """Run dlt's statement for the part of a table, and its like for the whole."""
        _, verb, database, name, rest = TABLE_STATEMENT.split(statement, maxsplit=1)
        part, whole = f"`{database}`.`{name}_local`", f"`{database}`.`{name}`"
        rest_of_whole = rest
        if verb == "CREATE TABLE":
            verb += " IF NOT EXISTS"
            # a row always goes to the same shard, so that a shard knows a repeated insert again
            key = f"cityHash64(tuple({', '.join(COLUMN.findall(rest))}))"
            rest_of_whole = (
                f"as {part} "
                f"engine = Distributed(`{self.cluster}`, `{database}`, `{name}_local`, {key})"
            )
        self.execute(f"{verb} {part}{self.on_cluster} {rest}")
        self.execute(f"{verb} {whole}{self.on_cluster} {rest_of_whole}")

    def _deliver(self, pipeline: "dlt.Pipeline") -> None:
        """Wait until every shard has its rows: distributed tables take them first, then send."""
        if not self.cluster:
            return
        with pipeline.destination_client() as client:
            clickhouse: Any = client
            database = clickhouse.sql_client.database_name
        tables = self.query(
            f"select name from system.tables where database = '{database}' "
            "and engine = 'Distributed'"
        )
        for name in tables[0].to_pylist():
            self.execute(f"system flush distributed {database}.`{name}`")

    @property
    def on_cluster(self) -> str:
        """The clause with which a statement about tables reaches every node."""
        return f" on cluster `{self.cluster}`" if self.cluster else ""

    @cached_property
    def client(self) -> Client:
        """The connection over HTTP, with settings that make SQL mean the same as elsewhere."""
        return clickhouse_connect.get_client(**self.http_arguments, settings=SETTINGS)

    @property
    def http_arguments(self) -> dict[str, Any]:
        """What every client of clickhouse-connect needs to reach the server."""
        return {
            "host": self.host,
            "port": self.http_port,
            "username": self.user,
            "password": self.password,
            "secure": self.secure,
            "ca_cert": self.ca_certs,
            "autogenerate_session_id": False,
        }

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what the client raises into one line that says what to do."""
        try:
            yield
        except ClickHouseError as error:
            raise self._explanation(error) from None

    def _explanation(self, error: ClickHouseError) -> Exception:
        name = getattr(error, "name", None)
        if name in ("UNKNOWN_TABLE", "UNKNOWN_DATABASE"):
            return MissingRelationError(f"{self.label}: {name}")
        if name == "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING":
            return _SameQueryIsRunningError(name)
        if name is None:
            return UnreachableError(f"cannot reach {self.label}: check MINDWEAVE_WAREHOUSE")
        text = str(error).strip().splitlines()[0][:300]
        return MindweaveError(f"{self.label}: {WHAT_TO_DO.get(name, text)} ({name})")


class _SameQueryIsRunningError(MindweaveError):
    """Another query has the name that this one was to have."""


def _plain_types(table: pa.Table) -> pa.Table:
    """Return the types that the other engines have: signed numbers, times without a zone."""
    fields = [field.with_type(PLAIN_TYPES.get(field.type, field.type)) for field in table.schema]
    return table.cast(pa.schema(fields))
