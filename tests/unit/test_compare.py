"""Comparing the marts of two warehouses; two DuckDB files do, as engines make no difference."""

import json
from pathlib import Path

import duckdb
import pytest

from dlt_pipelines.config import Settings
from dlt_pipelines.errors import MindweaveError
from flows.compare import MartComparison, compare_marts, public_marts

TEAMS = """
select 'ana' as team_id, date '2026-11-01' as usage_date, cast(1.5 as decimal(38, 15)) as cost_usd
union all select 'bo', date '2026-11-01', null
union all select 'bo', date '2026-11-01', null
"""


def warehouse(path: Path, mart: str) -> Settings:
    """Make a warehouse with one mart, ``cost_by_team``."""
    with duckdb.connect(path) as connection:
        connection.execute("create schema customer_local")
        connection.execute(f"create table customer_local.cost_by_team as {mart}")
    return Settings(path.parent, str(path), "local")


def compared(folder: Path, here: str, there: str) -> MartComparison:
    return compare_marts(
        warehouse(folder / "here.duckdb", here),
        warehouse(folder / "there.duckdb", there),
        ["cost_by_team"],
    )[0]


def test_the_same_rows_in_another_order_are_equal(tmp_path: Path) -> None:
    found = compared(tmp_path, TEAMS, f"select * from ({TEAMS}) order by team_id desc")
    assert found.is_equal
    assert str(found) == "cost_by_team: equal, 3 rows"


def test_the_last_digit_of_an_amount_differs_and_its_column_is_named(tmp_path: Path) -> None:
    other = TEAMS.replace("1.5 ", "1.500000000000001 ")
    found = compared(tmp_path, TEAMS, other)
    assert found.columns == ["cost_usd"]
    assert str(found) == "cost_by_team: differs, in cost_usd; 1 rows only here, 1 only there"


def test_how_often_a_row_is_there_counts(tmp_path: Path) -> None:
    found = compared(tmp_path, TEAMS, f"select distinct * from ({TEAMS})")
    assert (found.only_here, found.only_there) == (1, 0)
    assert not found.is_equal


def test_a_column_that_one_side_lacks_or_types_otherwise_differs(tmp_path: Path) -> None:
    other = f"select team_id, cast(cost_usd as double) as cost_usd from ({TEAMS})"
    found = compared(tmp_path, TEAMS, other)
    assert sorted(found.columns) == ["cost_usd", "usage_date"]


def test_a_mart_that_is_not_built_is_an_error(tmp_path: Path) -> None:
    here = warehouse(tmp_path / "here.duckdb", TEAMS)
    nowhere = Settings(tmp_path, str(tmp_path / "nowhere.duckdb"), "local")
    with pytest.raises(MindweaveError, match="cost_by_team is not in .*nowhere.duckdb"):
        compare_marts(here, nowhere, ["cost_by_team"])


def test_only_public_models_are_marts(tmp_path: Path) -> None:
    settings = Settings(tmp_path, "", "local")
    with pytest.raises(MindweaveError, match="run `mindweave build` first"):
        public_marts(settings)
    nodes = {
        "a": {"name": "mcp_calls", "resource_type": "model", "access": "public"},
        "b": {"name": "int_calls__priced", "resource_type": "model", "access": "protected"},
        "c": {"name": "a_test", "resource_type": "test"},
    }
    folder = tmp_path / "dbt" / "local"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    assert public_marts(settings) == ["mcp_calls"]
