"""From DuckDB tables to dlt resources: files that dlt hands to the warehouse whole."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import duckdb
import pyarrow as pa

from dlt_pipelines.destinations import BulkFormat

if TYPE_CHECKING:
    from dlt.extract import DltResource

ColumnType = Literal["text", "bigint", "double", "bool", "timestamp", "usd"]

COLUMN_HINTS: dict[ColumnType, dict[str, Any]] = {
    "text": {"data_type": "text"},
    "bigint": {"data_type": "bigint"},
    "double": {"data_type": "double"},
    "bool": {"data_type": "bool"},
    "timestamp": {"data_type": "timestamp", "timezone": False, "precision": 6},
    "usd": {"data_type": "decimal", "precision": 38, "scale": 15},
}
DUCKDB_TYPES: dict[ColumnType, str] = {
    "text": "varchar",
    "bigint": "bigint",
    "double": "double",
    "bool": "boolean",
    "timestamp": "timestamp",
    "usd": "decimal(38, 15)",
}

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "usd": pa.decimal128(38, 15),
}

# What DuckDB compresses at a time: what comes in whole ones, it writes once and to its place.
ROWS_PER_GROUP = 122_880
# of large rows so many are too much
BYTES_PER_GROUP = 128 * 2**20
# what of a query's result is in memory at once
ROWS_PER_BATCH = 2**14


@dataclass(frozen=True)
class RawTable:
    """A table of the raw schema; it is created even where no row landed yet."""

    name: str
    columns: Mapping[str, ColumnType]

    def create_sql(self) -> str:
        """Return the DuckDB statement that makes an empty table of this shape."""
        columns = ", ".join(f"{name} {DUCKDB_TYPES[kind]}" for name, kind in self.columns.items())
        return f"create table {self.name} ({columns})"

    def no_rows(self) -> pa.Table:
        """Return an empty table of this shape."""
        return pa.schema(
            {name: ARROW_TYPES[kind] for name, kind in self.columns.items()}
        ).empty_table()

    def adapt(self, resource: "DltResource") -> "DltResource":
        """Give the resource this table's columns; ClickHouse sorts by load, as later steps ask."""
        columns: Any = {
            name: {"name": name, **COLUMN_HINTS[kind]} for name, kind in self.columns.items()
        }
        return resource.apply_hints(
            columns=columns,
            additional_table_hints={
                "x-clickhouse-sort": ["load_id"],
                "x-clickhouse-settings": {
                    # dlt writes files anew whose columns it holds to be never null
                    "allow_nullable_key": True,
                    # a file that a killed load wrote, and the next run writes again, counts once
                    "non_replicated_deduplication_window": 1000,
                },
            },
        )


QUARANTINE = RawTable(
    "quarantine",
    {
        "load_id": "text",
        "source": "text",
        "location": "text",
        "line_number": "bigint",
        "reason": "text",
        "row_fingerprint": "text",
        "row_bytes": "bigint",
        "quarantined_at": "timestamp",
    },
)

CONTENT_FINGERPRINTS = RawTable(
    "content_fingerprints",
    {
        "load_id": "text",
        "source": "text",
        "content_kind": "text",
        "dedup_hash": "text",
        "normalization": "text",
        "shingle_count": "bigint",
        "sketch_size": "bigint",
        "sketch": "text",
    },
)

LOADS = RawTable(
    "loads",
    {
        "load_id": "text",
        "source": "text",
        "plugin_version": "text",
        "started_at": "timestamp",
        "finished_at": "timestamp",
        "seconds": "double",
        "files_read": "bigint",
        "bytes_read": "bigint",
        "rows_read": "bigint",
        "rows_loaded": "bigint",
        "rows_ignored": "bigint",
        "rows_quarantined": "bigint",
    },
)

EXPECTATION_RESULTS = RawTable(
    "expectation_results",
    {
        "check_id": "text",
        "load_id": "text",
        "source": "text",
        "table_name": "text",
        "column_name": "text",
        "expectation": "text",
        "severity": "text",
        "is_success": "bool",
        "unexpected_count": "bigint",
        "observed_value": "text",
        "checked_at": "timestamp",
    },
)

MONTH_CLOSES = RawTable(
    "month_closes",
    {
        "load_id": "text",
        "billing_period": "text",
        "charge_period": "text",
        "charge_class": "text",
        "reason": "text",
        "team_id": "text",
        "model_id": "text",
        "total_calls": "bigint",
        "input_tokens": "bigint",
        "cache_write_5m_tokens": "bigint",
        "cache_write_1h_tokens": "bigint",
        "cache_read_tokens": "bigint",
        "output_tokens": "bigint",
        "unpriced_calls": "bigint",
        "list_cost_usd": "usd",
        "total_cost_usd": "usd",
        "prices_fingerprint": "text",
        "closed_at": "timestamp",
    },
)

# What any source may yield instead of tables of its own: the models need no word for it.
CALL_EVENTS = RawTable(
    "call_events",
    {
        "observation_id": "text",
        "source": "text",
        "load_id": "text",
        "vendor": "text",
        "message_id": "text",
        "request_id": "text",
        "record_uuid": "text",
        "session_id": "text",
        "org_id": "text",
        "workspace_id": "text",
        "api_key_id": "text",
        "project": "text",
        "team_id": "text",
        "user_id": "text",
        "requested_model": "text",
        "service_tier": "text",
        "speed": "text",
        "inference_geo": "text",
        "region": "text",
        "status": "text",
        "is_sidechain": "bool",
        "input_tokens": "bigint",
        "cache_write_5m_tokens": "bigint",
        "cache_write_1h_tokens": "bigint",
        "cache_read_tokens": "bigint",
        "output_tokens": "bigint",
        "cache_write_assumed_tokens": "bigint",
        "web_search_requests": "bigint",
        "reported_cost_usd": "usd",
        "reported_cost_basis": "text",
        "latency_ms": "bigint",
        "dedup_hash": "text",
        "observed_at": "timestamp",
    },
)

TOOL_CALL_EVENTS = RawTable(
    "tool_call_events",
    {
        "observation_id": "text",
        "source": "text",
        "load_id": "text",
        "vendor": "text",
        "tool_use_id": "text",
        "message_id": "text",
        "request_id": "text",
        "record_uuid": "text",
        "session_id": "text",
        "team_id": "text",
        "project": "text",
        "user_id": "text",
        "mcp_name": "text",
        "tool_name": "text",
        "input_fingerprint": "text",
        "status": "text",
        "latency_ms": "bigint",
        "reported_cost_usd": "usd",
        "observed_at": "timestamp",
        "answered_at": "timestamp",
    },
)

USAGE_BUCKET_EVENTS = RawTable(
    "usage_bucket_events",
    {
        "source": "text",
        "load_id": "text",
        "report": "text",
        "vendor": "text",
        "org_id": "text",
        "bucket_key": "text",
        "content_hash": "text",
        "bucket_start_at": "timestamp",
        "bucket_end_at": "timestamp",
        "bucket_width": "text",
        "workspace_id": "text",
        "api_key_id": "text",
        "user_id": "text",
        "product": "text",
        "requested_model": "text",
        "service_tier": "text",
        "context_window": "text",
        "inference_geo": "text",
        "speed": "text",
        "input_tokens": "bigint",
        "cache_write_5m_tokens": "bigint",
        "cache_write_1h_tokens": "bigint",
        "cache_read_tokens": "bigint",
        "output_tokens": "bigint",
        "web_search_requests": "bigint",
        "request_count": "bigint",
        "reported_cost_usd": "usd",
        "is_empty": "bool",
        "data_refreshed_at": "timestamp",
    },
)

COST_EVENTS = RawTable(
    "cost_events",
    {
        "source": "text",
        "load_id": "text",
        "report": "text",
        "vendor": "text",
        "org_id": "text",
        "bucket_key": "text",
        "content_hash": "text",
        "bucket_start_at": "timestamp",
        "bucket_end_at": "timestamp",
        "workspace_id": "text",
        "api_key_id": "text",
        "requested_model": "text",
        "cost_type": "text",
        "token_type": "text",
        "service_tier": "text",
        "context_window": "text",
        "inference_geo": "text",
        "description": "text",
        "quantity": "usd",
        "quantity_unit": "text",
        "net_cost_usd": "usd",
        "list_cost_usd": "usd",
        "currency": "text",
        "is_empty": "bool",
        "data_refreshed_at": "timestamp",
    },
)

CANONICAL_TABLES = (CALL_EVENTS, TOOL_CALL_EVENTS, USAGE_BUCKET_EVENTS, COST_EVENTS)


@dataclass
class LandingTable:
    """Rows of one raw table on their way: files that dlt hands over whole.

    CSV is a file a query. Parquet is one file of whole row groups, which a warehouse takes in less
    time than many small ones.
    """

    table: RawTable
    folder: Path
    file_format: BulkFormat
    parts: list[tuple[Path, int]] = field(default_factory=list)
    row_count: int = 0
    _row_groups: "RowGroups | None" = None

    def write(
        self, connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, Any]
    ) -> int:
        """Add the rows of a DuckDB query, and return how many; none make no file."""
        rows_before = self.row_count
        # an empty text says nothing, and PostgreSQL's bulk load cannot tell it from null
        columns = ", ".join(
            f"nullif(cast({name} as varchar), '') as {name}"
            if kind == "text"
            else f"cast({name} as {DUCKDB_TYPES[kind]}) as {name}"
            for name, kind in self.table.columns.items()
        )
        statement = f"select {columns} from ({query})"
        if self.file_format == "csv":
            path = self._next_path()
            statement = f"copy ({statement}) to '{path}' (format csv, header true)"
            if count := run_statement(connection, statement, parameters):
                self.parts.append((path, count))
                self.row_count += count
        else:
            rows = connection.execute(statement, named_parameters(statement, parameters))
            for batch in rows.to_arrow_reader(ROWS_PER_BATCH):
                self.gather(pa.Table.from_batches([batch]))
        return self.row_count - rows_before

    def gather(self, rows: pa.Table) -> None:
        """Add rows of this table's shape to its Parquet file, which `resource` closes."""
        if not rows.num_rows:
            return
        if self._row_groups is None:
            self._row_groups = RowGroups(self._next_path(), self.table.no_rows())
        self._row_groups.add(rows)
        self.row_count += rows.num_rows

    def resource(self) -> "DltResource":
        """Return the dlt resource that hands over the files."""
        import dlt  # slow to import: only where something landed

        if self._row_groups is not None:
            self.parts.append((self._row_groups.path, self._row_groups.close()))
            self._row_groups = None

        def parts() -> Iterator[Any]:
            if not self.parts:
                # an empty table and not a mark, for which dlt would add columns that files lack
                yield self.table.no_rows()
            for path, rows in self.parts:
                yield dlt.mark.with_file_import(str(path), self.file_format, rows)

        return self.table.adapt(
            dlt.resource(parts, name=self.table.name, write_disposition="append")
        )

    def _next_path(self) -> Path:
        return self.folder / f"{self.table.name}-{len(self.parts)}.{self.file_format}"


class RowGroups:
    """A Parquet file, written a row group at a time: what waits in memory is less than one."""

    def __init__(self, path: Path, no_rows: pa.Table) -> None:
        """Make the file for rows of the same shape."""
        import pyarrow.parquet as pq  # slow to import: only where something landed

        self.path = path
        self._writer = pq.ParquetWriter(path, no_rows.schema, write_statistics=False)
        self._waiting = no_rows
        self._written = 0

    def add(self, rows: pa.Table) -> None:
        """Add rows of that shape."""
        self._waiting = pa.concat_tables([self._waiting, rows])
        count = self._waiting.num_rows
        is_much = self._waiting.nbytes >= BYTES_PER_GROUP
        self._write(count if is_much else count - count % ROWS_PER_GROUP)

    def close(self) -> int:
        """Write what waits; return how many rows the file has."""
        self._write(self._waiting.num_rows)
        self._writer.close()
        return self._written

    def _write(self, count: int) -> None:
        if count:
            self._writer.write_table(self._waiting.slice(0, count), ROWS_PER_GROUP)
            self._waiting = self._waiting.slice(count)
            self._written += count


# joins rows of a raw table, called ``landed``, with the loads whose packages are whole
OF_COMPLETE_LOADS = """
inner join {raw}.loads as loads on landed.load_id = loads.load_id
inner join {raw}._dlt_loads as packages
    on loads._dlt_load_id = packages.load_id and packages.status = 0
"""


def newest_sql(
    table: str,
    columns: Iterable[str],
    keys: Iterable[str],
    where: str = "true",
    *,
    all_of_load: bool = False,
) -> str:
    """Return a query of the raw schema for what landed last of each key, in whole loads only.

    ``where`` asks of ``landed``. One row a key, or ``all_of_load`` that hold it.
    """
    # each by its name: ClickHouse keeps the table's name in those that several tables have
    named = ", ".join(f"landed.{column} as {column}" for column in columns)
    partition = ", ".join(f"landed.{key}" for key in keys)
    return f"""
    select *
    from (
        select
            {named},
            {"dense_rank" if all_of_load else "row_number"}() over (
                partition by {partition} order by loads.finished_at desc, loads.load_id desc
            ) as recency
        from {{raw}}.{table} as landed
        {OF_COMPLETE_LOADS}
        where {where}
    ) as ranked
    where recency = 1
    """


def run_statement(
    connection: duckdb.DuckDBPyConnection, statement: str, parameters: Mapping[str, Any]
) -> int:
    """Run a statement with those of the parameters that it names.

    Returns the first number of its result: for a write, how many rows it wrote.
    """
    row = connection.execute(statement, named_parameters(statement, parameters)).fetchone()
    return int(row[0]) if row else 0


def named_parameters(statement: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the parameters that a statement names."""
    return {name: value for name, value in parameters.items() if f"${name}" in statement}
