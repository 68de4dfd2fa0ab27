"""The gateway's PostgreSQL, read only: rows as columns by way of COPY, small tables as JSON."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import psycopg2.errors
import pyarrow as pa
import pyarrow.compute as pc
from psycopg2 import sql
from pyarrow import csv

from dlt_pipelines import exact_json
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.sources.litellm.transform import RECORDS_SCHEMA

SPEND_LOGS = "LiteLLM_SpendLogs"
BLOCK_BYTES = 8 * 2**20
BLOCKS_WAITING = 2

# our name of a field, and where the row has it; a column that a version lacks is null
PLAIN_COLUMNS = {
    "request_id": "request_id",
    "litellm_call_id": "litellm_call_id",
    "call_type": "call_type",
    "api_key": "api_key",
    "spend": "spend",
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "start_time": "startTime",
    "end_time": "endTime",
    "first_token_time": "completionStartTime",
    "request_duration_ms": "request_duration_ms",
    "model": "model",
    "model_group": "model_group",
    "custom_llm_provider": "custom_llm_provider",
    "user_name": "user",
    "end_user": "end_user",
    "team_id": "team_id",
    "org_id": "organization_id",
    "session_id": "session_id",
    "agent_id": "agent_id",
    "status": "status",
    "cache_hit": "cache_hit",
    "namespaced_tool_name": "mcp_namespaced_tool_name",
}
REQUIRED_COLUMNS = ("request_id", "call_type", "startTime")
TIME_COLUMNS = ("startTime", "endTime", "completionStartTime")
# the rest of metadata stays in the database: it holds what people wrote
METADATA = {
    "usage": "metadata -> 'usage_object'",
    "additional_usage": "metadata -> 'additional_usage_values'",
    "cost_breakdown": "metadata -> 'cost_breakdown'",
    "batch_models": "metadata -> 'batch_models'",
    "user_email": "metadata ->> 'user_api_key_user_email'",
    "project": "coalesce(metadata ->> 'user_api_key_project_alias', "
    "metadata ->> 'user_api_key_project_id')",
    "attempted_retries": "metadata ->> 'attempted_retries'",
    "attempted_fallbacks": "metadata ->> 'attempted_fallbacks'",
    "used_client_oauth_token": "metadata ->> 'used_client_oauth_token'",
    "error_code": "metadata #>> '{error_information,error_code}'",
    "error_class": "metadata #>> '{error_information,error_class}'",
    "tool_call": "case when call_type = 'call_mcp_tool' "
    "then metadata -> 'mcp_tool_call_metadata' end",
}
# where prompts are stored at all: as messages, else as the client's request has them
NO_MESSAGES = "'{}', '[]', 'null', '\"\"'"
REQUESTED = ("messages", "input", "prompt")
MESSAGES = (
    f"case when cast(messages as text) not in ({NO_MESSAGES}) then cast(messages as text) end"
)
REQUESTED_MESSAGES = ", ".join(
    f"proxy_server_request #>> '{{{path}}}'"
    for name in REQUESTED
    for path in (f"body,{name}", name)
)
# read, or left out on purpose; a column that is neither is one to look at
KNOWN_COLUMNS = {
    *PLAIN_COLUMNS.values(),
    "metadata",
    "total_tokens",
    "model_id",
    "api_base",
    "cache_key",
    "request_tags",
    "requester_ip_address",
    "billing_agent_id",
    "messages",
    "response",
    "proxy_server_request",
    "created_at",
    "updated_at",
}
# of COPY's text format; a backslash waits as a character that is in no text of PostgreSQL
ESCAPES = (
    ("\\\\", "\0"),
    ("\\t", "\t"),
    ("\\n", "\n"),
    ("\\r", "\r"),
    ("\\b", "\b"),
    ("\\f", "\f"),
    ("\\v", "\v"),
    ("\0", "\\"),
)


class GatewayDatabase:
    """One connection to the gateway's database."""

    def __init__(self, url: str, schema: str) -> None:
        """Connect; raise MindweaveError, which names no password, where that is not possible."""
        self._schema = schema
        self._label = _label(url)
        try:
            self._connection = psycopg2.connect(url, application_name="mindweave")
        except psycopg2.OperationalError as error:
            raise MindweaveError(
                f"source litellm: cannot reach {self._label}: "
                f"{str(error).strip().splitlines()[0]}; check database_url"
            ) from None
        except (psycopg2.ProgrammingError, ValueError):  # its text quotes the URL
            raise MindweaveError(
                "source litellm: database_url is no URL of a PostgreSQL database: use "
                "postgresql://user:password@host/database"
            ) from None
        self._connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with self._explained(), self._connection.cursor() as cursor:
            cursor.execute("set timezone = 'UTC'; set datestyle = 'ISO'")
            cursor.execute("set extra_float_digits = 1")  # the shortest text that is the number

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def columns(self, table: str) -> list[str]:
        """Return the columns of a table of the gateway; none where the version lacks it."""
        with self._explained(), self._connection.cursor() as cursor:
            cursor.execute(
                "select column_name from information_schema.columns "
                "where table_schema = %s and table_name = %s",
                [self._schema, table],
            )
            return [name for (name,) in cursor.fetchall()]

    def spend_log_columns(self) -> list[str]:
        """Return the columns of the spend logs; raise MindweaveError where they cannot be read."""
        columns = self.columns(SPEND_LOGS)
        if not columns:
            raise MindweaveError(
                f"source litellm: {self._label} has no table {SPEND_LOGS} in the schema "
                f"{self._schema} that this user may see: is it the gateway's database?"
            )
        for column in REQUIRED_COLUMNS:
            if column not in columns:
                raise MindweaveError(
                    f"source litellm: {SPEND_LOGS} has no column {column}: "
                    "this version of the gateway is not known"
                )
        return columns

    def part_end(
        self, columns: Sequence[str], after: datetime | None, most_rows: int
    ) -> datetime | None:
        """Return when the last of the next ``most_rows`` rows was written; None where fewer are."""
        written, table = _written(columns), self._table(SPEND_LOGS)
        later = sql.SQL("where {} > %(after)s" if after else "").format(written)
        parameters = {"after": after, "most_rows": most_rows}
        with self._explained(), self._connection.cursor() as cursor:
            cursor.execute(
                sql.SQL(
                    "select count(*) from (select 1 from {} {} limit %(most_rows)s + 1) as rows"
                ).format(table, later),
                parameters,
            )
            (found,) = cursor.fetchone()
            if found <= most_rows:
                return None
            cursor.execute(
                sql.SQL("select {} from {} {} order by 1 offset %(most_rows)s - 1 limit 1").format(
                    written, table, later
                ),
                parameters,
            )
            (end,) = cursor.fetchone()
        return end  # type: ignore[no-any-return]

    def records(
        self, columns: Sequence[str], start: datetime | None, end: datetime | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the spend logs written in [start, end] as batches of RECORDS_SCHEMA."""
        for block in self.blocks(columns, start, end):
            yield from _parsed(block)

    def blocks(
        self, columns: Sequence[str], start: datetime | None, end: datetime | None
    ) -> Iterator[bytes]:
        """Yield them as COPY writes them: whole lines, many at a time."""
        written = _written(columns)
        fields = [_field(name, columns) for name in RECORDS_SCHEMA.names[:-1]] + [written]
        conditions = [
            sql.SQL("{} {} {}").format(written, sql.SQL(operator), sql.Literal(limit))
            for operator, limit in ((">=", start), ("<=", end))
            if limit
        ]
        query = sql.SQL("copy (select {} from {} {}) to stdout").format(
            sql.SQL(", ").join(fields),
            self._table(SPEND_LOGS),
            sql.SQL("where ") + sql.SQL(" and ").join(conditions) if conditions else sql.SQL(""),
        )
        return self._copied(query)

    def small_table(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a small table, whatever columns the version has."""
        with self._explained(), self._connection.cursor() as cursor:
            cursor.execute(
                sql.SQL("select row_to_json(t)::text from {} as t").format(self._table(table))
            )
            for (text,) in cursor:
                yield exact_json.parse(text)

    def _table(self, name: str) -> sql.Composable:
        return sql.Identifier(self._schema, name)

    def _copied(self, query: sql.Composable) -> Iterator[bytes]:
        """Yield what COPY writes as blocks of whole lines, which another thread receives."""
        blocks: queue.Queue[bytes | BaseException | None] = queue.Queue(BLOCKS_WAITING)
        sink = _Blocks(blocks)

        def receive() -> None:
            try:
                with self._connection.cursor() as cursor:
                    cursor.copy_expert(query, sink)
                sink.flush()
                blocks.put(None)
            except BaseException as error:  # noqa: BLE001  raised where the blocks are read
                blocks.put(error)

        thread = threading.Thread(target=receive, daemon=True)
        thread.start()
        try:
            with self._explained():
                while (block := blocks.get()) is not None:
                    if isinstance(block, BaseException):
                        raise block
                    yield block
        finally:
            sink.is_stopped = True
            while thread.is_alive():  # where the reader gave up, so must the receiver
                try:
                    blocks.get(timeout=0.05)
                except queue.Empty:
                    continue

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg2.errors.InsufficientPrivilege as error:
            raise MindweaveError(
                f"source litellm: {self._label}: {str(error).strip().splitlines()[0]}: "
                "grant select to this user"
            ) from None
        except psycopg2.Error as error:
            raise MindweaveError(
                f"source litellm: reading {self._label} failed ({type(error).__name__}); "
                "the next run goes on from what was loaded"
            ) from None


class _Blocks:
    """Takes COPY's lines one by one and hands them on in blocks."""

    def __init__(self, blocks: "queue.Queue[bytes | BaseException | None]") -> None:
        self._blocks = blocks
        self._lines: list[bytes] = []
        self._bytes = 0
        self.is_stopped = False

    def write(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= BLOCK_BYTES:
            self.flush()

    def flush(self) -> None:
        if self.is_stopped:
            raise InterruptedError
        if self._lines:
            self._blocks.put(b"".join(self._lines))
            self._lines, self._bytes = [], 0


def _parsed(block: bytes) -> list[pa.RecordBatch]:
    """Read lines of COPY's text format: tabs between fields, a backslash before what is special."""
    table = csv.read_csv(
        pa.BufferReader(block),
        csv.ReadOptions(column_names=RECORDS_SCHEMA.names, block_size=len(block) + 1),
        csv.ParseOptions(delimiter="\t", quote_char=False, escape_char=False),
        csv.ConvertOptions(
            column_types=RECORDS_SCHEMA, null_values=["\\N"], strings_can_be_null=True
        ),
    )
    if block.count(b"\\") > block.count(b"\\N") or b"\\\\" in block:
        table = pa.table([_unescaped(column) for column in table.columns], schema=RECORDS_SCHEMA)
    return table.to_batches()  # type: ignore[no-any-return]


def _unescaped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    for escaped, plain in ESCAPES:
        column = pc.replace_substring(column, escaped, plain)
    return column


def _field(name: str, columns: Sequence[str]) -> sql.Composable:
    if name in METADATA:
        return sql.SQL(METADATA[name] if "metadata" in columns else "null")
    if name == "messages":
        found = [
            text
            for column, text in (
                ("messages", MESSAGES),
                ("proxy_server_request", REQUESTED_MESSAGES),
            )
            if column in columns
        ]
        return sql.SQL(f"coalesce({', '.join([*found, 'null'])})")
    column = PLAIN_COLUMNS[name]
    return _column(column) if column in columns else sql.SQL("null")


def _column(column: str) -> sql.Composable:
    # a time with a zone is written in UTC, as the session says
    form = "cast({} as timestamp)" if column in TIME_COLUMNS else "{}"
    return sql.SQL(form).format(sql.Identifier(column))


def _written(columns: Sequence[str]) -> sql.Composable:
    """Return when a row was last written; old versions only know when its call was."""
    names = [name for name in ("updated_at", "created_at") if name in columns]
    if not names:
        names = ["endTime", "startTime"] if "endTime" in columns else ["startTime"]
    parts = [sql.SQL("cast({} as timestamp)").format(sql.Identifier(name)) for name in names]
    return sql.SQL("coalesce({})").format(sql.SQL(", ").join(parts))


def _label(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the gateway's database"
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
