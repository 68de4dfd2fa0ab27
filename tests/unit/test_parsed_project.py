from pathlib import Path

import pytest

from dlt_pipelines.config import PROJECT_DIR
from flows import parsed_project
from flows.dbt_project import copy_project
from flows.parsed_project import KEPT_FILES, keep, kept_path, read_kept


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a copy of the project the one that is read, for a customer in a DuckDB file."""
    folder = copy_project(PROJECT_DIR, tmp_path / "project")
    monkeypatch.setattr(parsed_project, "PROJECT_DIR", folder)
    for name, value in {
        "MINDWEAVE_TARGET": "duckdb",
        "MINDWEAVE_WAREHOUSE": "/here/mindweave.duckdb",
        "MINDWEAVE_CUSTOMER": "acme",
        "PGPORT": "5432",
        "PGDATABASE": "usage",
    }.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.mark.parametrize(
    "name, value",
    [
        ("MINDWEAVE_CUSTOMER", "other"),
        ("MINDWEAVE_SCHEMA_PREFIX", "restated"),
        ("MINDWEAVE_READER_PREFIX", "reads_"),
        ("MINDWEAVE_TARGET", "postgres"),
        ("MINDWEAVE_WAREHOUSE", "/here/another.duckdb"),
        ("PGDATABASE", "another"),
    ],
)
def test_what_names_a_relation_differently_is_kept_apart(project, monkeypatch, name, value):
    before = kept_path({})

    monkeypatch.setenv(name, value)

    assert kept_path({}) != before


@pytest.mark.parametrize(
    "name, value",
    [
        ("MINDWEAVE_WAREHOUSE", "/there/mindweave.duckdb"),
        ("PGPORT", "5433"),
        ("PGPASSWORD", "secret"),
        ("HOME", "/root"),
    ],
)
def test_another_place_of_the_same_database_shares_what_is_kept(project, monkeypatch, name, value):
    before = kept_path({})

    monkeypatch.setenv(name, value)

    assert kept_path({}) == before


@pytest.mark.parametrize(
    "part", ["models/marts/core/mcp_calls.sql", "seeds/model_prices.csv", "dbt_project.yml"]
)
def test_a_changed_file_and_a_new_one_are_read(project, part):
    paths = {kept_path({})}
    with (project / part).open("a") as file:
        file.write("\n")
    paths.add(kept_path({}))
    (project / "models" / "more.sql").write_text("select 1 as one")
    paths.add(kept_path({}))
    paths.add(kept_path({"mindweave__as_known_on": "2026-11-01"}))

    assert len(paths) == 4


def test_a_damaged_file_counts_as_none(tmp_path):
    (tmp_path / "half.msgpack").write_bytes(b"\x82\xa5nodes")

    assert read_kept(tmp_path / "half.msgpack") is None
    assert read_kept(tmp_path / "missing.msgpack") is None


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    from dbt.contracts.graph.manifest import Manifest

    (tmp_path / "file").write_text("in the way")

    keep(Manifest(), tmp_path / "file" / "kept.msgpack")

    assert (tmp_path / "file").read_text() == "in the way"


def test_only_the_newest_are_kept(tmp_path):
    from dbt.contracts.graph.manifest import Manifest

    for number in range(KEPT_FILES + 3):
        keep(Manifest(), tmp_path / f"{number}.msgpack")

    assert len(list(tmp_path.iterdir())) == KEPT_FILES
    assert (tmp_path / f"{KEPT_FILES + 2}.msgpack").exists()
