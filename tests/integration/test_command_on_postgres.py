"""The same commands on a PostgreSQL server print what they print on a DuckDB file."""

from pathlib import Path

import duckdb

from dlt_pipelines.destinations import warehouse_at
from flows import publish
from tests import transcripts


def test_load_and_build_print_the_same_numbers_on_both_warehouses(
    tmp_path: Path, postgres_database: str
) -> None:
    source = transcripts.write(
        tmp_path / "t" / "s.jsonl",
        transcripts.answer(1),
        transcripts.tool_use(2),
        transcripts.tool_result(2),
        b"not json",
    )
    printed = []
    for name, warehouse in (("files", {}), ("server", {"MINDWEAVE_WAREHOUSE": postgres_database})):
        home = tmp_path / name
        arguments = ("load", "--path", source, "--team", "search")
        loaded = transcripts.succeeds(transcripts.mindweave(home, *arguments, **warehouse))
        again = transcripts.succeeds(transcripts.mindweave(home, *arguments, **warehouse))
        assert "1 quarantined" in loaded
        assert "nothing new" in again
        printed.append(transcripts.succeeds(transcripts.mindweave(home, "build", **warehouse)))
    assert printed[0] == printed[1]
    assert "for 2 model calls" in printed[0]


def test_the_site_can_be_made_from_a_server(tmp_path: Path, postgres_database: str) -> None:
    source = transcripts.write(tmp_path / "t" / "s.jsonl", transcripts.answer(1))
    variables = {"MINDWEAVE_WAREHOUSE": postgres_database}
    home = tmp_path / "home"
    for arguments in (("load", "--path", source), ("build",)):
        transcripts.succeeds(transcripts.mindweave(home, *arguments, **variables))

    publish._export(warehouse_at(postgres_database).query, "local", tmp_path / "data")

    site = tmp_path / "data" / "marts" / "marts" / "marts.duckdb"
    with duckdb.connect(site, read_only=True) as connection:
        row = connection.execute("select total_calls, total_cost_usd from cost_by_team").fetchone()
        types = connection.execute(
            "select data_type from duckdb_columns() where column_name = 'total_cost_usd'"
        ).fetchall()
    assert row is not None
    assert row[0] == 1
    assert row[1] > 0
    assert set(types) == {("DECIMAL(38,15)",)}
