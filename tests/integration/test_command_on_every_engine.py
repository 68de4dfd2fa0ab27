"""The same commands on a server print the same numbers and give the site the same data."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_pipelines.destinations import warehouse_at
from flows import publish
from tests import transcripts

# these tell of the run itself, so no two runs agree on them; or hold the SQL of the engine
OF_THE_RUN = {
    "load_id", "finished_at", "last_loaded_at", "completed_at", "started_at",
    "seconds", "published_at", "sql", "tested_at",
}  # fmt: skip


def shown(home: Path, warehouse_url: str | None) -> tuple[str, dict[str, Any]]:
    """Return what load and build print, and the tables that the site is made from."""
    variables = {"MINDWEAVE_PRIVACY_KEY": "the same pseudonyms everywhere, so it is the same"}
    if warehouse_url:
        variables["MINDWEAVE_WAREHOUSE"] = warehouse_url
    source = transcripts.write(home.parent / f"{home.name}.jsonl", transcripts.answer(1))
    arguments = ("load", "--path", source, "--user", "dana", "--team", "search")
    printed = [transcripts.succeeds(transcripts.mindweave(home, *arguments, **variables))]
    transcripts.append(
        source,
        transcripts.tool_use(2),
        transcripts.tool_result(2),
        transcripts.answer(3, timestamp="2025-11-30T23:59:59.999999Z", sessionId="s2"),
        b"not json",
    )
    for _ in range(2):
        printed.append(transcripts.succeeds(transcripts.mindweave(home, *arguments, **variables)))
    assert "1 quarantined" in printed[1]
    assert "nothing new" in printed[2]

    built = transcripts.succeeds(transcripts.mindweave(home, "build", **variables))
    warehouse = warehouse_at(warehouse_url or str(home / "mindweave.duckdb"))
    publish._export(
        warehouse.query, "local", home / "data", home / "dbt" / "local" / "manifest.json"
    )
    (site,) = (home / "data").rglob("marts.duckdb")
    tables = {}
    with duckdb.connect(site, read_only=True) as connection:
        for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall():
            columns = connection.execute(
                "select column_name, data_type from duckdb_columns() where table_name = ?", [name]
            ).fetchall()
            kept = ", ".join(f'"{column}"' for column, _ in columns if column not in OF_THE_RUN)
            rows = connection.execute(f"select {kept} from {name} order by all").fetchall()
            tables[name] = (columns, rows)
    return built, tables


@pytest.fixture(scope="module")
def on_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    return shown(tmp_path_factory.mktemp("file") / "home", None)


# the marts of a cluster are compared with a file's by the tests of copying
def test_a_server_prints_and_publishes_what_a_file_does(
    tmp_path: Path, postgres_database: str, on_file: tuple[str, dict[str, Any]]
) -> None:
    on_server = shown(tmp_path / "home", postgres_database)

    printed, tables = on_file
    assert on_server[0] == printed
    assert on_server[1].keys() == tables.keys()
    for name, table in tables.items():
        assert on_server[1][name] == table, name
    assert "for 3 model calls" in printed
    _, rows = tables["cost_by_team"]
    assert len(rows) == 2
