"""Rows of any warehouse as a stream of Arrow batches, and back: never all in memory at once."""

import io
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import singledispatch
from typing import Any

import duckdb
import psycopg2.errors
import pyarrow as pa
from pyarrow import csv

from dlt_pipelines.clickhouse_warehouse import ClickHouseWarehouse
from dlt_pipelines.destinations import MissingRelationError, Warehouse
from dlt_pipelines.duckdb_warehouse import DuckDBWarehouse
from dlt_pipelines.postgres_warehouse import ARROW_TYPES, PostgresWarehouse

BATCH_ROWS = 50_000
CSV_BLOCK_BYTES = 16 * 2**20  # at least the longest row


@contextmanager
def read_batches(warehouse: Warehouse, sql: str) -> Iterator[pa.RecordBatchReader]:
    """Run a query and yield its rows with one type for each kind of value on every engine."""
    with _batches(warehouse, sql) as reader:
        schema = pa.schema([field.with_type(_plain(field.type)) for field in reader.schema])
        yield reader.cast(schema)


@singledispatch
def _batches(warehouse: Warehouse, sql: str) -> Any:
    raise NotImplementedError(warehouse.engine)


@_batches.register
@contextmanager
def _from_duckdb(warehouse: DuckDBWarehouse, sql: str) -> Iterator[pa.RecordBatchReader]:
    if not warehouse.path.exists():
        raise MissingRelationError(f"there is no warehouse {warehouse.label} yet")
    with warehouse.connection() as connection:
        connection.execute("set timezone = 'UTC'")
        try:
            rows = connection.execute(sql)
        except duckdb.CatalogException as error:
            raise MissingRelationError(str(error).splitlines()[0]) from None
        yield rows.to_arrow_reader(BATCH_ROWS)


@_batches.register
@contextmanager
def _from_postgres(warehouse: PostgresWarehouse, sql: str) -> Iterator[pa.RecordBatchReader]:
    """Read by way of COPY and a temporary file: a cursor would make Python objects."""
    with (
        closing(warehouse.connect()) as connection,
        connection.cursor() as cursor,
        tempfile.TemporaryFile() as file,
    ):
        cursor.execute("set timezone = 'UTC'")
        try:
            cursor.execute(f"select * from ({sql}) as described limit 0")
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName) as error:
            raise MissingRelationError(str(error).splitlines()[0]) from None
        schema = pa.schema(
            [
                (column.name, ARROW_TYPES.get(column.type_code, pa.string()))
                for column in cursor.description
            ]
        )
        cursor.copy_expert(f"copy ({sql}) to stdout (format csv)", file)
        if not file.tell():
            yield pa.RecordBatchReader.from_batches(schema, [])
            return
        file.seek(0)
        yield csv.open_csv(
            file,
            csv.ReadOptions(column_names=schema.names, block_size=CSV_BLOCK_BYTES),
            csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=schema,
                # COPY writes no value as nothing, and a text that is empty as ""
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )


@_batches.register
@contextmanager
def _from_clickhouse(warehouse: ClickHouseWarehouse, sql: str) -> Iterator[pa.RecordBatchReader]:
    settings = {"output_format_arrow_string_as_string": 1, "max_block_size": BATCH_ROWS}
    with warehouse.explained():
        stream: Any = warehouse.client.raw_stream(sql, settings=settings, fmt="ArrowStream")
        with closing(stream):
            yield pa.ipc.open_stream(stream)


@singledispatch
def replace_rows(
    warehouse: Warehouse, relation: str, condition: str, rows: pa.RecordBatchReader
) -> None:
    """Put ``rows`` in the place of those of ``relation`` (``schema.table``) that meet a condition.

    All or nothing on DuckDB and PostgreSQL; on ClickHouse a kill may leave some of them.
    """
    raise NotImplementedError(warehouse.engine)


@replace_rows.register
def _in_duckdb(
    warehouse: DuckDBWarehouse, relation: str, condition: str, rows: pa.RecordBatchReader
) -> None:
    with warehouse.connection(read_only=False) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.begin()
        connection.execute(f"delete from {relation} where {condition}")
        connection.register("arriving", rows)
        connection.execute(f"insert into {relation} by name select * from arriving")
        connection.commit()


@replace_rows.register
def _in_postgres(
    warehouse: PostgresWarehouse, relation: str, condition: str, rows: pa.RecordBatchReader
) -> None:
    with closing(warehouse.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("set timezone = 'UTC'")
        cursor.execute(f"delete from {relation} where {condition}")
        for batch in rows:
            buffer = io.BytesIO()
            csv.write_csv(batch, buffer, csv.WriteOptions(include_header=False))
            buffer.seek(0)
            cursor.copy_expert(
                f"copy {relation} ({_names(rows.schema.names)}) from stdin (format csv)", buffer
            )


@replace_rows.register
def _in_clickhouse(
    warehouse: ClickHouseWarehouse, relation: str, condition: str, rows: pa.RecordBatchReader
) -> None:
    part = f"{relation}_local{warehouse.on_cluster}" if warehouse.cluster else relation
    warehouse.execute(f"delete from {part} where {condition} settings lightweight_deletes_sync = 2")
    with warehouse.explained():
        for batch in rows:
            # a name of its own: rows like these may have been there and be deleted now
            settings = {"insert_deduplication_token": uuid.uuid4().hex}
            table = pa.Table.from_batches([batch])
            warehouse.client.insert_arrow(relation, table, settings=settings)


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_decimal(kind):
        return pa.decimal128(38, 15)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")  # in UTC, as every connection here is
    if pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        return pa.string()
    return kind
