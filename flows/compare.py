"""Hold the public marts of two warehouses against each other, row by row.

Two engines that built from the same raw rows must show the same marts to the last digit. Rows are
compared as they are, whatever their order, and are read in batches into a database on disk.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dlt_pipelines.batches import read_batches
from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import MissingRelationError, warehouse_at
from dlt_pipelines.errors import MindweaveError
from flows.dbt_project import dbt_folder


@dataclass(frozen=True)
class MartComparison:
    """One mart in both warehouses; equal where nothing is only in one of them."""

    mart: str
    rows: int
    only_here: int
    only_there: int
    columns: Sequence[str]
    """The columns that differ."""

    @property
    def is_equal(self) -> bool:
        """Whether both warehouses have the same columns and the same rows."""
        return not (self.only_here or self.only_there or self.columns)

    def said(self, here: str, there: str) -> str:
        """Say it in a line, without a value of anybody's; the sides have these names."""
        if self.is_equal:
            return f"{self.mart}: equal, {self.rows:,} rows"
        # rows that one side lacks differ in every column
        is_lack = bool(self.only_here) != bool(self.only_there)
        where = f", in {', '.join(self.columns)}" if self.columns and not is_lack else ""
        return (
            f"{self.mart}: differs{where}; "
            f"{self.only_here:,} rows only {here}, {self.only_there:,} only {there}"
        )

    def __str__(self) -> str:
        """Say it of two warehouses."""
        return self.said("here", "there")


def compare_marts(here: Settings, there: Settings, marts: Sequence[str]) -> list[MartComparison]:
    """Compare the marts; raise MissingRelationError where one is missing."""
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(Path(folder) / "marts.duckdb") as connection,
    ):
        return [_compare(connection, here, there, mart) for mart in marts]


def public_marts(settings: Settings) -> list[str]:
    """Return the names of the public marts that the last build in this home made."""
    path = dbt_folder(settings) / "manifest.json"
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        raise MindweaveError(
            f"nothing is built for customer {settings.customer} in {settings.home}: "
            "run `mindweave build` first"
        ) from None
    return sorted(
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["access"] == "public"
    )


def _compare(
    connection: duckdb.DuckDBPyConnection,
    here: Settings,
    there: Settings,
    mart: str,
) -> MartComparison:
    types_here = _read(connection, "here", here, mart)
    types_there = _read(connection, "there", there, mart)
    differing = [
        column
        for column in types_here | types_there
        if types_here.get(column) != types_there.get(column)
    ]
    same = ", ".join(f'"{column}"' for column in types_here if column not in differing) or "1"
    for one, other in (("here", "there"), ("there", "here")):
        connection.execute(
            f"create or replace table only_{one} as "
            f"select {same} from {one} except all select {same} from {other}"
        )
    differing += [
        column
        for column in types_here
        if column not in differing and _differs(connection, f'"{column}"')
    ]
    return MartComparison(
        mart=mart,
        rows=_count(connection, "here"),
        only_here=_count(connection, "only_here"),
        only_there=_count(connection, "only_there"),
        columns=differing,
    )


def _read(
    connection: duckdb.DuckDBPyConnection,
    side: str,
    settings: Settings,
    mart: str,
) -> dict[str, str]:
    """Fill the table ``side`` with a mart, and return the types of its columns."""
    warehouse = warehouse_at(settings.warehouse_url)
    try:
        with read_batches(warehouse, f"select * from {settings.marts_schema}.{mart}") as rows:
            connection.register("arriving", rows)
            connection.execute(f"create or replace table {side} as select * from arriving")
            connection.unregister("arriving")
            return {field.name: str(field.type) for field in rows.schema}
    except MissingRelationError:
        raise MissingRelationError(
            f"{settings.marts_schema}.{mart} is not in {warehouse.label}: "
            "build there first, with MINDWEAVE_WAREHOUSE set to it"
        ) from None


def _differs(connection: duckdb.DuckDBPyConnection, column: str) -> bool:
    return any(
        connection.execute(
            f"select {column} from only_{one} except all select {column} from only_{other} limit 1"
        ).fetchone()
        for one, other in (("here", "there"), ("there", "here"))
    )


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0
