"""`diff`: what a change of the project changes in the marts, over the same raw data."""

import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

from dlt_pipelines.config import Settings
from tests.integration.test_scenarios import CORRECTION, contents, load_calls
from tests.project_copy import ProjectCopy
from tests.transcripts import MODEL, assert_one_line, home_settings, succeeds

NEW_MART = "select count(*) as calls from {{ ref('mcp_calls') }}"
CONTRACT = """
models:
  - name: call_count
    columns: [{name: calls, data_type: bigint}]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home with what was loaded and built."""
    home = tmp_path_factory.mktemp("diff") / "home"
    load_calls(home_settings(home))
    return home


@pytest.fixture
def project(tmp_path: Path) -> ProjectCopy:
    """Give a project under git, with one commit."""
    project = ProjectCopy(tmp_path / "project")
    project.commit()
    return project


def schemas(settings: Settings) -> set[str]:
    with duckdb.connect(settings.warehouse_url, read_only=True) as connection:
        rows = connection.execute(
            "select schema_name from information_schema.schemata "
            "where catalog_name = current_database()"
        ).fetchall()
    return {name for (name,) in rows} - {"main"}


def fails(done: "subprocess.CompletedProcess[str]", status: int) -> str:
    assert done.returncode == status, done.stdout + done.stderr
    assert_one_line(done.stderr)
    return str(done.stderr)


def test_a_change_of_a_price_shows_in_its_months_and_a_mart_by_its_name(project, home, tmp_path):
    project.add_row("model_prices", **CORRECTION)
    mart = project.folder / "models" / "marts" / "cost" / "call_count.sql"
    mart.write_text(NEW_MART, "utf-8")
    mart.with_suffix(".yml").write_text(CONTRACT, "utf-8")
    for suffix in (".sql", ".yml"):
        (project.folder / "models/marts/cost/cost_by_mcp_daily").with_suffix(suffix).unlink()
    markdown = tmp_path / "diff.md"

    done = project.command(home, "diff", "--base", "main", "--markdown", markdown)

    assert done.returncode == 3, done.stderr
    assert done.stderr == ""
    rows = [line for line in markdown.read_text("utf-8").splitlines() if line.startswith("| ")]
    assert rows == [
        "| Customer | Month | Team | Model | Base | Now | Difference | Also |",
        f"| local | 2025-11 | payments | {MODEL} | $0.00 | $0.01 | +$0.0015 |  |",
        f"| local | 2025-11 | search | {MODEL} | $0.00 | $0.01 | +$0.0015 |  |",
        "| Changed |  |  |  | $0.01 | $0.01 | +$0.003 |  |",
    ]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["local", "2025-11", "search", MODEL, "$0.00", "$0.01", "+$0.0015"] in [
        line[:7] for line in lines
    ]
    for text in (markdown.read_text("utf-8"), done.stdout):
        assert "call_count: new" in text
        assert "cost_by_mcp_daily: gone" in text
        assert "cost_by_team_daily: differs in" in text
        assert "load_report" not in text
    assert schemas(home_settings(home)) == {"customer_local_raw"}


def test_nothing_changes_since_a_revision_that_knows_no_schemas_but_the_customers(
    project, home, tmp_path
):
    succeeds(project.command(home, "build"))
    before = schemas(home_settings(home))
    marts = contents(home_settings(home))
    for path in ("profiles.yml", "macros/generate_schema_name.sql"):
        shutil.copy(project.folder / path, tmp_path)
        project.replace(path, "env_var('MINDWEAVE_SCHEMA_PREFIX', 'customer')", "'customer'")
    project.commit("As it was long ago")
    for path in ("profiles.yml", "macros/generate_schema_name.sql"):
        shutil.copy(tmp_path / Path(path).name, project.folder / path)

    done = project.command(home, "diff", "--base", "HEAD", "--markdown", "-")

    assert succeeds(done).endswith("\nNothing changes.\n")
    assert schemas(home_settings(home)) == before
    assert contents(home_settings(home)) == marts, "the customer's marts stay as they are"


def test_a_base_that_does_not_build_is_named_and_leaves_nothing(project, home):
    before = schemas(home_settings(home))
    path = "models/marts/cost/cost_by_team.sql"
    project.replace(path, "int_costs__with_duplicates", "int_costs__hourly")
    broken = project.commit("Broken")
    project.replace(path, "int_costs__hourly", "int_costs__with_duplicates")

    message = fails(project.command(home, "diff", "--base", broken), 1)

    assert f"revision {broken} does not build" in message
    assert "int_costs__hourly" in message
    assert schemas(home_settings(home)) == before


@pytest.mark.parametrize("revision", ["nowhere", "", "--output=x", "HEAD:models"])
def test_an_unknown_revision_is_wrong_use(project, home, revision):
    message = fails(project.command(home, "diff", f"--base={revision}"), 2)

    assert f"git knows no revision {revision!r}" in message


def test_without_git_or_anything_loaded_it_says_so(project, tmp_path):
    home = tmp_path / "empty"
    assert "nothing is loaded" in fails(project.command(home, "diff", "--base", "HEAD"), 1)
    shutil.rmtree(project.folder / ".git")
    assert "not a git checkout" in fails(
        project.command(home, "diff", "--base", "HEAD", GIT_CEILING_DIRECTORIES=str(tmp_path)), 1
    )
