"""Copy what is loaded from one warehouse to another, so that a customer can move engines.

The rows of one load in one table are copied or not: they are there when their number and sums are
those of the source, and are replaced otherwise. So a copy that was killed is simply run again, and
a later one adds what is new. dlt's list of complete loads goes last: until it is there, nothing at
the target builds on half a load.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa

from dlt_pipelines.batches import read_batches, replace_rows
from dlt_pipelines.config import Settings, with_login
from dlt_pipelines.destinations import Engine, MissingRelationError, Warehouse, warehouse_at
from dlt_pipelines.errors import MindweaveError, UsageError
from dlt_pipelines.load import DLT_ENVIRONMENT, explained

if TYPE_CHECKING:
    from dlt import Schema

Progress = Callable[[int, int], None]
Measures = tuple[Decimal, ...]

LOADS_TABLE = "_dlt_loads"
VERSION_TABLE = "_dlt_version"  # written where the tables are made
UNIT_COLUMNS = ("load_id", "_dlt_load_id")
ROWS_AT_ONCE = 1_000_000
UNITS_AT_ONCE = 1_000

# how a column adds up, to the same number on every engine; floats do not
SUMS: dict[Engine, dict[str, str]] = {
    "duckdb": {
        "text": "sum(strlen({column}))",
        "timestamp": "sum(epoch_us({column}))",
    },
    "postgres": {
        "text": "sum(octet_length({column}))",
        "timestamp": "sum(extract(epoch from {column}) * 1000000)",
    },
    "clickhouse": {
        "text": "sum(length({column}))",
        "timestamp": "sum(toInt128(toUnixTimestamp64Micro({column})))",
    },
}
SUMS_EVERYWHERE = {
    "bigint": "sum(cast({column} as decimal(38, 0)))",
    "decimal": "sum({column})",
    "bool": "sum(case when {column} then 1 else 0 end)",
}


@dataclass(frozen=True)
class CopiedTable:
    """What became of one raw table: its rows at the source, and how many of them were copied."""

    name: str
    rows: int
    copied: int


@dataclass
class _Table:
    name: str
    kinds: dict[str, str]
    units: dict[str, Measures] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(int(measures[0]) for measures in self.units.values())

    @property
    def missing_rows(self) -> int:
        return sum(int(self.units[unit][0]) for unit in self.missing)

    @property
    def unit(self) -> str:
        """What rows are copied together by; a table that tells no loads apart goes as a whole."""
        for column in UNIT_COLUMNS:
            if column in self.kinds:
                return f"coalesce({column}, '')"
        return "''"


def settings_of_other(settings: Settings, url: str) -> Settings:
    """Return the same settings for another warehouse.

    Raises UsageError where that is the same one, and MindweaveError where it cannot be reached.
    """
    try:
        url = with_login(url)
        warehouse = warehouse_at(url)
        warehouse.check()
    except MindweaveError as error:
        raise type(error)(str(error).replace("MINDWEAVE_WAREHOUSE", "--to")) from None
    if warehouse.identity == warehouse_at(settings.warehouse_url).identity:
        raise UsageError(
            f"--to names {warehouse.label}, which is MINDWEAVE_WAREHOUSE already: name another"
        )
    return replace(settings, warehouse_url=url)


def copy_raw(
    source: Settings, target: Settings, progress: Progress = lambda done, total: None
) -> Iterator[CopiedTable]:
    """Copy the raw schema of a customer, and yield each table once it is the same at the target.

    Both must be locked. Raises MindweaveError where there is nothing to copy, or where a table is
    not the same in the end.
    """
    from_warehouse = warehouse_at(source.warehouse_url)
    to_warehouse = warehouse_at(target.warehouse_url)
    schemas = _stored_schemas(from_warehouse, source)
    with explained(source.home, work="copying"):
        _make_tables(to_warehouse, target, schemas)
        tables = _tables(schemas)
        for table in tables:
            table.units = _units(from_warehouse, source.raw_schema, table)
            # of most sources' tables there is no row
            there = _units(to_warehouse, target.raw_schema, table) if table.units else {}
            table.missing = [unit for unit in table.units if there.get(unit) != table.units[unit]]
        done, total = 0, sum(table.missing_rows for table in tables)
        for table in tables:
            for condition in _conditions(table):
                with read_batches(from_warehouse, _select(source, table, condition)) as rows:

                    def counted(rows: pa.RecordBatchReader = rows) -> Iterator[pa.RecordBatch]:
                        nonlocal done
                        for batch in rows:
                            yield batch
                            done += batch.num_rows
                            progress(done, total)

                    arriving = pa.RecordBatchReader.from_batches(rows.schema, counted())
                    relation = f"{target.raw_schema}.{table.name}"
                    replace_rows(to_warehouse, relation, condition, arriving)
            if table.missing:
                _check(to_warehouse, target, table)
            yield CopiedTable(table.name, table.rows, table.missing_rows)


def _stored_schemas(warehouse: Warehouse, settings: Settings) -> list["Schema"]:
    """Return every version of every schema that dlt loaded with, the oldest first."""
    os.environ |= DLT_ENVIRONMENT
    from dlt import Schema

    try:
        versions = warehouse.query(
            f"select schema from {settings.raw_schema}.{VERSION_TABLE} order by inserted_at"
        )
    except MissingRelationError:
        raise MindweaveError(
            f"nothing is loaded for customer {settings.customer} in {warehouse.label}: "
            "there is nothing to copy"
        ) from None
    return [Schema.from_stored_schema(json.loads(text)) for text in versions[0].to_pylist()]


def _make_tables(warehouse: Warehouse, settings: Settings, schemas: list["Schema"]) -> None:
    """Make the tables as the loads made them at the source, and dlt's record of how they are."""
    import dlt

    warehouse.create_schema(settings.raw_schema)
    for schema in schemas:
        with tempfile.TemporaryDirectory() as folder:
            pipeline = dlt.pipeline(
                pipeline_name=f"{settings.customer}__copy",
                pipelines_dir=folder,
                destination=warehouse.dlt_destination(settings.raw_schema),
                dataset_name=warehouse.dataset_name(settings.raw_schema),  # type: ignore[arg-type]
            )
            pipeline.schemas.save_schema(schema)
            pipeline.default_schema_name = schema.name  # type: ignore[assignment]
            warehouse.make_raw_tables(pipeline)


def _tables(schemas: list["Schema"]) -> list[_Table]:
    """Return the tables with all columns that they ever had, the list of complete loads last."""
    kinds: dict[str, dict[str, str]] = {}
    for schema in schemas:
        for name in schema.tables:
            # only those that have a type; without one there is no column, nor a table, yet
            for column, hints in schema.get_table_columns(name).items():
                kinds.setdefault(name, {})[column] = str(hints["data_type"])
    names = sorted(kinds.keys() - {VERSION_TABLE}, key=lambda name: (name == LOADS_TABLE, name))
    return [_Table(name, kinds[name]) for name in names]


def _units(warehouse: Warehouse, schema: str, table: _Table) -> dict[str, Measures]:
    """Return the number of rows of every load, and what each column adds up to."""
    sums = SUMS_EVERYWHERE | SUMS[warehouse.engine]
    measures = ["count(*)"]
    for column, kind in table.kinds.items():
        measures.append(f"count({column})")
        if kind in sums:
            measures.append(sums[kind].format(column=column))
    # as text, since engines differ in how wide a sum is
    columns = [
        f"cast({measure} as varchar) as measure_{number}" for number, measure in enumerate(measures)
    ]
    query = (
        f"select {table.unit} as unit, {', '.join(columns)} from {schema}.{table.name} group by 1"
    )
    rows = warehouse.query(query)
    return {
        unit: tuple(Decimal(measure or 0) for measure in found)
        for unit, *found in zip(*(column.to_pylist() for column in rows.columns), strict=True)
    }


def _conditions(table: _Table) -> Iterator[str]:
    """Yield conditions that together find the rows of all missing loads, not too many at once."""
    units: list[str] = []
    rows = 0
    for unit in table.missing:
        units.append(unit)
        rows += int(table.units[unit][0])
        if rows >= ROWS_AT_ONCE or len(units) == UNITS_AT_ONCE or unit == table.missing[-1]:
            names = ", ".join("'" + unit.replace("'", "''") + "'" for unit in units)
            yield f"{table.unit} in ({names})"
            units, rows = [], 0


def _select(settings: Settings, table: _Table, condition: str) -> str:
    columns = ", ".join(table.kinds)
    return f"select {columns} from {settings.raw_schema}.{table.name} where {condition}"


def _check(warehouse: Warehouse, settings: Settings, table: _Table) -> None:
    there = _units(warehouse, settings.raw_schema, table)
    if differing := [unit for unit in table.missing if there.get(unit) != table.units[unit]]:
        raise MindweaveError(
            f"{table.name} is not the same in {warehouse.label} after copying "
            f"({len(differing)} loads differ, first {differing[0]}): run this again; "
            "nothing there was built from it"
        )
