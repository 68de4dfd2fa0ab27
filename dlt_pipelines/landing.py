"""From DuckDB tables to dlt resources: files that dlt hands to the warehouse whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import duckdb

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


@dataclass(frozen=True)
class RawTable:
    """A table of the raw schema; it is created even where no row landed yet."""

    name: str
    columns: Mapping[str, ColumnType]

    def create_sql(self, table: str) -> str:
        """Return the DuckDB statement that makes an empty ``table`` of this shape."""
        columns = ", ".join(f"{name} {DUCKDB_TYPES[kind]}" for name, kind in self.columns.items())
        return f"create or replace table {table} ({columns})"

    def hints(self) -> dict[str, Any]:
        """Return dlt's column hints."""
        return {name: {"name": name, **COLUMN_HINTS[kind]} for name, kind in self.columns.items()}


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


@dataclass
class LandingTable:
    """Rows of one raw table on their way: collected in DuckDB, written out in parts."""

    table: RawTable
    connection: duckdb.DuckDBPyConnection
    folder: Path
    file_format: BulkFormat

    def __post_init__(self) -> None:
        """Make the empty table that the rows are inserted into."""
        self.parts: list[tuple[Path, int]] = []
        self.connection.execute(self.table.create_sql(self.table.name))

    def flush(self, at_least_rows: int = 1) -> None:
        """Write what was collected as one more file, where it is ``at_least_rows``."""
        row = self.connection.execute(f"select count(*) from {self.table.name}").fetchone()
        rows: int = row[0] if row else 0
        if rows < at_least_rows:
            return
        path = self.folder / f"{self.table.name}-{len(self.parts)}.{self.file_format}"
        options = "format csv, header true" if self.file_format == "csv" else "format parquet"
        self.connection.execute(f"copy {self.table.name} to '{path}' ({options})")
        self.connection.execute(f"truncate {self.table.name}")
        self.parts.append((path, rows))

    def resource(self) -> "DltResource":
        """Return the dlt resource that hands over the files."""
        import dlt  # takes a second and a half: only where something landed

        def parts() -> Iterator[Any]:
            yield dlt.mark.materialize_table_schema()
            for path, rows in self.parts:
                yield dlt.mark.with_file_import(str(path), self.file_format, rows)

        return dlt.resource(
            parts,
            name=self.table.name,
            columns=self.table.hints(),
            write_disposition="append",
        )
