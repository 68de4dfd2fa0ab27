"""The models on every engine: the same marts, however the rows came in."""

import contextlib
import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import clickhouse_connect
import pytest

from dlt_pipelines.clickhouse_warehouse import ClickHouseWarehouse
from dlt_pipelines.config import PROJECT_DIR, Settings
from dlt_pipelines.demo import company
from dlt_pipelines.demo import workload as demo_workload
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.drain import drain
from dlt_pipelines.load import load_source, make_missing_tables
from flows.close import freeze
from tests import pushed, servers
from tests.dbt_process import DbtProcess, dbt_process
from tests.pushed import push
from tests.transcripts import (
    MODEL,
    answer,
    append,
    command_environment,
    one_pass,
    tool_result,
    tool_use,
    write,
)

Row = dict[str, Any]
Marts = dict[str, list[Row]]

LAYERS = ("staging", "intermediate", "marts")
# a cluster is compared with a file by the tests of copying and of the command, and has the cases
ENGINES = ("duckdb", "postgres", "clickhouse")
CLICKHOUSE_ENGINES = ENGINES[2:]
MEASURES = (
    *("total_calls", "input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
    *("cache_read_tokens", "output_tokens", "total_cost_usd", "unpriced_calls"),
)
CLOSED = (date(2025, 11, 1), date(2026, 10, 1))
WITHOUT_A_PRICE = demo_workload.MODEL_WITHOUT_A_PRICE
# another load, another clock: these differ between two runs of the same
OF_THE_RUN = {
    *("load_id", "check_id", "started_at", "finished_at", "checked_at"),
    *("last_loaded_at", "seconds", "closed_at", "completed_at", "inserted_at"),
}


TESTED_BUILD = ("build", "--exclude-resource-type", "unit_test")


def dbt_environment(settings: Settings) -> dict[str, str]:
    """Return what dbt's profile reads."""
    return command_environment(
        settings.home,
        MINDWEAVE_CUSTOMER=settings.customer,
        DO_NOT_TRACK="1",
        **warehouse_at(settings.warehouse_url).dbt_environment(),
    )


def dbt(settings: Settings, *arguments: str, project: Path = PROJECT_DIR) -> None:
    """Run dbt as an analytics engineer does."""
    target = str(settings.home / "dbt")
    program = Path(sys.executable).with_name("dbt")
    folders = ("--target-path", target, "--log-path", target)
    done = subprocess.run(
        [program, "--no-use-colors", *arguments, *folders],
        cwd=project,
        env=dbt_environment(settings),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr


def rows(settings: Settings, relation: str) -> list[Row]:
    """Return all rows of a model."""
    found: list[Row] = (
        warehouse_at(settings.warehouse_url).query(f"select * from {relation}").to_pylist()
    )
    return found


def read_marts(settings: Settings, names: list[str]) -> Marts:
    """Return every mart without what only tells one run from another, sorted."""
    return {
        name: sorted(
            (
                {column: value for column, value in row.items() if column not in OF_THE_RUN}
                for row in rows(settings, f"{settings.marts_schema}.{name}")
            ),
            key=repr,
        )
        for name in names
    }


def priced_at(settings: Settings) -> dict[str, datetime]:
    """Return when each call was priced last."""
    priced = rows(settings, f"{settings.staging_schema}.int_calls__priced")
    return {row["call_id"]: row["processed_at"] for row in priced}


def observed_in(settings: Settings, load_id: str | None) -> set[str]:
    """Return the calls that a load saw."""
    observations = rows(settings, f"{settings.staging_schema}.int_calls__observations")
    return {row["call_id"] for row in observations if row["load_id"] == load_id}


def by_call(marts: Marts) -> dict[str, Row]:
    return {row["call_id"]: row for row in marts["mcp_calls"]}


def load(settings: Settings, folder: Path) -> str | None:
    """Load what is new of a company's transcripts; return the load's id."""
    roots = [
        {"path": str(user), "user": user.name, "team": user.parent.name}
        for user in sorted(folder.glob("*/*"))
    ]
    roots.append({"path": str(folder / "of-nobody")})
    load_id = load_source(settings, "claude_code", {"roots": roots}).load_id
    make_missing_tables(settings)
    return load_id


def at(time: str, record: Row) -> Row:
    return {**record, "timestamp": time}


def named(model: str | None, record: Row) -> Row:
    record["message"]["model"] = model
    return record


def without_ids(uuid: str, record: Row) -> Row:
    """Return a record that only its own uuid identifies."""
    record["message"]["id"] = None
    return {**record, "uuid": uuid, "requestId": None}


def with_passes(name: str, *passes: Row) -> Row:
    return answer(name, usage={"iterations": [*passes, one_pass("message", output_tokens=187)]})


COMPACTION = one_pass("compaction", input_tokens=9000, output_tokens=30)
ADVICE = one_pass("advisor_message", input_tokens=800, cache_read_input_tokens=1000)


def write_transcripts(folder: Path, until: date) -> None:
    demo_workload.write_transcripts(folder, demo_workload.sessions(1, until))


def write_first(folder: Path) -> None:
    """Write twelve days of a company, and edges that its generator does not have."""
    write_transcripts(folder, date(2026, 10, 10))
    write(
        folder / "of-nobody" / "first.jsonl",
        at("2025-11-02T00:00:30Z", answer("late", usage={"output_tokens": 10})),
        at("2025-11-05T10:00:00Z", answer("growing", usage={"output_tokens": 3})),
        at("2025-11-05T11:00:00Z", tool_use("answered-later")),
        at("2025-11-06T10:00:00Z", without_ids("weak-1", tool_use("copied"))),
        at("2025-11-07T10:00:00Z", named(None, answer("nameless"))),
        at("2026-10-05T10:00:00Z", named(WITHOUT_A_PRICE, answer("too-new"))),
        at("2025-11-10T10:00:00Z", with_passes("compacted", COMPACTION)),
        at("2026-10-05T11:00:00Z", with_passes("advised", ADVICE | {"model": WITHOUT_A_PRICE})),
        at("2025-11-08T10:00:00Z", named("<synthetic>", answer("synthetic"))),
        '{"type":"assistant","message":{"id":"msg_cut","usage":{"input_tok',
    )


def write_late(folder: Path) -> None:
    """Write one more day, and records that change what is known of earlier calls."""
    write_transcripts(folder, date(2026, 10, 11))
    append(
        folder / "of-nobody" / "first.jsonl",
        at("2025-11-05T10:00:09Z", answer("growing", usage={"output_tokens": 412})),
        tool_result("answered-later"),
        at(
            "2025-11-10T10:00:09Z",
            with_passes(
                "compacted",
                COMPACTION | {"output_tokens": 300},
                ADVICE | {"model": "claude-haiku-4-5-20251001"},
            ),
        ),
    )
    write(
        folder / "of-nobody" / "second.jsonl",
        at("2025-11-01T23:59:30Z", answer("late", usage={"output_tokens": 10})),
        at("2025-11-06T09:00:00Z", without_ids("weak-2", tool_use("copied"))),
        at("2025-11-09T10:00:00Z", answer("new")),
    )


def push_first(settings: Settings) -> str | None:
    """Push a call, the same event once more, and other content under its id; return the load."""
    push(settings, [pushed.call(1), pushed.call(1), pushed.call(2, output_tokens=900)])
    push(settings, [pushed.call(1, output_tokens=5)], at=pushed.AT + timedelta(seconds=1))
    return drain(settings).results[-1].load_id


def push_late(settings: Settings) -> str | None:
    """Push another call, and what was received under a known id before it; return the load."""
    push(settings, [pushed.call(2, output_tokens=3)], at=pushed.AT - timedelta(hours=1))
    push(settings, [pushed.call(3, cost="0.0775")], at=pushed.AT + timedelta(hours=1))
    return drain(settings).results[-1].load_id


@dataclass
class History:
    """What one engine held after each build."""

    settings: Settings
    dbt: DbtProcess
    loads: dict[str, str | None] = field(default_factory=dict)
    drains: dict[str, str | None] = field(default_factory=dict)
    marts: dict[str, Marts] = field(default_factory=dict)
    priced_at: dict[str, dict[str, datetime]] = field(default_factory=dict)
    results: dict[str, list[Row]] = field(default_factory=dict)

    def build(self, stage: str, *arguments: str) -> None:
        """Run dbt and remember what there is then."""
        self.dbt.run(*arguments)
        results = json.loads((self.dbt.target / "run_results.json").read_text("utf-8"))
        self.results[stage] = results["results"]
        self.marts[stage] = read_marts(self.settings, public_marts(self.manifest()))
        self.priced_at[stage] = priced_at(self.settings)

    def manifest(self) -> Row:
        """Return what dbt knows of the project."""
        manifest: Row = json.loads((self.dbt.target / "manifest.json").read_text("utf-8"))
        return manifest


@dataclass
class Histories:
    """The same happenings on every engine."""

    manifest: Row
    of: dict[str, History]
    project: Path


def public_marts(manifest: Row) -> list[str]:
    return sorted(
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["access"] == "public"
    )


@pytest.fixture(scope="module")
def histories(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_url: str,
    clickhouse_url: str,
) -> Iterator[Histories]:
    """Build the same on every engine: first, nothing new, late data, all anew, other prices.

    The months are closed before the late data.
    """
    # one home: pseudonyms are keyed by it
    home = tmp_path_factory.mktemp("history") / "home"
    folder, project = home / "transcripts", home / "project"
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(company, "DAYS", 12)
        write_first(folder)
        copy_project(project)
        urls = (
            str(home / "mindweave.duckdb"),
            stack.enter_context(servers.postgres_database(postgres_url)),
            stack.enter_context(without_customers(clickhouse_url)),
        )
        engines = {}
        for engine, url in zip(ENGINES, urls, strict=True):
            settings = Settings(home, url, "local")
            process = dbt_process(project, home / "dbt" / engine, dbt_environment(settings))
            engines[engine] = History(settings, stack.enter_context(process))
        histories = list(engines.values())
        at_once = stack.enter_context(ThreadPoolExecutor())

        def load_all(stage: str) -> None:
            for history in histories:
                history.loads[stage] = load(history.settings, folder)

        def build_all(stage: str, *arguments: str) -> None:
            list(at_once.map(lambda history: history.build(stage, *arguments), histories))

        load_all("first")
        for history in histories:  # the same events for each of them
            history.drains["first"] = push_first(history.settings)
        build_all("first", "build")
        load_all("again")
        build_all("again", "run")
        for history in histories:
            freeze(history.settings, *CLOSED)
        write_late(folder)
        load_all("late")
        for history in histories:
            history.drains["late"] = push_late(history.settings)
        build_all("late", *TESTED_BUILD)
        build_all("anew", "run", "--full-refresh")
        edit_prices(project)
        build_all("edited", *TESTED_BUILD, "--exclude-resource-type", "test")
        yield Histories(engines["duckdb"].manifest(), engines, project)


@contextlib.contextmanager
def without_customers(url: str) -> Iterator[str]:
    """Yield the URL of a ClickHouse, and leave nothing of the block's customers on it."""
    try:
        yield url
    finally:
        servers.drop_customer_databases(url)


@pytest.fixture(params=ENGINES)
def history(request: pytest.FixtureRequest, histories: Histories) -> History:
    return histories.of[request.param]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_first_build_passes_with_all_its_tests(histories, engine):
    results = histories.of[engine].results["first"]

    kinds = {result["unique_id"].split(".")[0] for result in results} - {"operation"}
    assert kinds == {"seed", "model", "test", "unit_test"}
    assert {result["status"] for result in results} == {"success", "pass"}


@pytest.mark.parametrize("stage", ["first", "again", "late", "anew", "edited"])
@pytest.mark.parametrize("engine", ENGINES[1:])
def test_every_engine_gives_the_same_marts(histories, engine, stage):
    on_duckdb = histories.of["duckdb"].marts[stage]
    on_this = histories.of[engine].marts[stage]

    assert sum(len(mart) for mart in on_duckdb.values()) > 1000
    assert on_duckdb.keys() == on_this.keys()
    for name, mart in on_duckdb.items():
        assert mart == on_this[name], name


@pytest.mark.parametrize("engine", CLICKHOUSE_ENGINES)
def test_marts_do_not_depend_on_their_readers_settings(histories, engine):
    history = histories.of[engine]
    url = urlsplit(history.settings.warehouse_url)
    reader = clickhouse_connect.get_client(
        host=url.hostname or "",
        port=int(parse_qs(url.query)["http_port"][0]),
        username=url.username,
        password=url.password or "",
        settings={"readonly": 1},
    )

    for name in history.marts["edited"]:
        sql = f"select * from {history.settings.marts_schema}.{name}"
        expected = warehouse_at(history.settings.warehouse_url).query(sql).to_pylist()
        found = reader.query_arrow(sql, use_strings=True).to_pylist()
        assert sorted(map(utc, found), key=repr) == sorted(map(utc, expected), key=repr), name


def utc(row: Row) -> Row:
    """Return a row whose times are UTC, whether they say so or not."""
    return {
        name: value.replace(tzinfo=None) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


@pytest.mark.parametrize("engine", CLICKHOUSE_ENGINES)
def test_a_build_that_broke_off_without_a_transaction_is_made_good(histories, engine):
    history = histories.of[engine]
    warehouse = warehouse_at(history.settings.warehouse_url)
    assert isinstance(warehouse, ClickHouseWarehouse)
    rows_of = f"{history.settings.staging_schema}.int_calls__priced"
    rows_of += f"_local{warehouse.on_cluster}" if warehouse.cluster else ""
    warehouse.execute(f"alter table {rows_of} add column unexpected Int8")

    with pytest.raises(AssertionError, match="int_calls__priced"):
        history.dbt.run("run", "--select", "int_calls__priced")
    warehouse.execute(f"alter table {rows_of} drop column unexpected")
    warehouse.execute(f"delete from {rows_of} where sipHash64(call_id) % 2 = 0")
    history.build("made good", "run")

    assert history.marts["made good"] == history.marts["edited"]
    leftovers = warehouse.query(
        "select name from system.tables "
        "where match(name, '__dbt_|__unfinished') and database like 'customer_%'"
    )
    assert leftovers.to_pylist() == []


def test_a_run_without_new_data_changes_nothing(history):
    assert history.loads["first"]
    assert history.loads["again"] is None
    assert history.marts["again"] == history.marts["first"]
    assert history.priced_at["again"] == history.priced_at["first"]


def test_late_data_gives_what_a_build_from_nothing_gives(history):
    assert history.marts["late"] != history.marts["first"]
    for name, mart in history.marts["late"].items():
        assert mart == history.marts["anew"][name], name


def test_late_data_prices_again_only_the_calls_it_saw(history):
    before, after = history.priced_at["again"], history.priced_at["late"]
    again = {call_id for call_id, time in after.items() if before.get(call_id) != time}

    seen = [
        observed_in(history.settings, loads["late"]) for loads in (history.loads, history.drains)
    ]
    # and the call whose tool call turned out to be an earlier one's
    assert again == seen[0] | seen[1] | {"record/weak-1"}


def test_what_was_received_first_under_an_id_counts_whenever_it_lands(history):
    def outputs(stage):
        calls = by_call(history.marts[stage])
        return {
            number: calls[f"anthropic/msg_{number}"]["output_tokens"]
            for number in (1, 2, 3)
            if f"anthropic/msg_{number}" in calls
        }

    def conflicts(stage):
        return [row["event_id"] for row in history.marts[stage]["event_conflicts"]]

    assert outputs("first") == {1: 700, 2: 900}
    assert outputs("late") == {1: 700, 2: 3, 3: 700}
    assert conflicts("first") == ["event-1"]
    assert conflicts("late") == ["event-1", "event-2"]
    assert len(history.marts["late"]["event_log"]) == 3


def test_an_earlier_time_moves_a_call_to_the_day_before(history):
    def call_days(stage):
        return {
            row["usage_date"]: row["total_calls"]
            for row in history.marts[stage]["cost_by_team_daily"]
            if row["usage_date"] < date(2025, 11, 5)
        }

    assert call_days("again") == {date(2025, 11, 2): 1}
    assert call_days("late") == {date(2025, 11, 1): 1}


def test_a_later_and_larger_usage_replaces_the_smaller_one(history):
    calls = [by_call(history.marts[stage])["anthropic/msg_growing"] for stage in ("again", "late")]

    assert [call["output_tokens"] for call in calls] == [3, 412]
    assert [call["observation_count"] for call in calls] == [1, 2]
    assert calls[1]["total_cost_usd"] - calls[0]["total_cost_usd"] == Decimal("0.006135")


def test_passes_that_land_later_are_part_of_what_their_call_costs(history):
    calls = [
        by_call(history.marts[stage])["anthropic/msg_compacted"] for stage in ("again", "late")
    ]

    assert [call["pass_tokens"] for call in calls] == [9030, 11100]
    assert [call["input_tokens"] for call in calls] == [6, 6]
    # 270 more tokens of output, and 800 of input and 1,000 read by another model
    assert calls[1]["total_cost_usd"] - calls[0]["total_cost_usd"] == Decimal("0.00495")


def test_a_call_with_a_pass_without_a_price_is_unpriced_until_it_has_one(history):
    before, after = (
        by_call(history.marts[stage])["anthropic/msg_advised"] for stage in ("anew", "edited")
    )

    assert (before["pricing_status"], before["total_cost_usd"]) == ("unpriced", None)
    assert (after["pricing_status"], after["pass_tokens"]) == ("priced", 1800)
    # 6 in, 4,200 written for an hour, 31,800 read, 187 out, a search; and the pass
    assert after["total_cost_usd"] == Decimal("0.047563") + Decimal("0.0018")
    [row] = (row for row in history.marts["anew"]["unpriced_usage"] if row["pass_tokens"])
    assert (row["model_id"], row["pass_tokens"]) == (WITHOUT_A_PRICE, 1800)


def test_a_result_that_lands_later_says_how_the_tool_call_ended(history):
    def status(stage):
        return [
            row["status"]
            for row in history.marts[stage]["mcp_tool_calls"]
            if row["tool_call_id"] == "anthropic/toolu_answered-later"
        ]

    assert status("again") == ["unknown"]
    assert status("late") == ["success"]


def test_a_tool_call_goes_with_its_cost_to_the_call_that_made_it_first(history):
    calls = by_call(history.marts["late"])
    [tool_call] = [
        row
        for row in history.marts["late"]["mcp_tool_calls"]
        if row["tool_call_id"] == "anthropic/toolu_copied"
    ]

    assert tool_call["call_id"] == "record/weak-2"
    assert tool_call["allocated_cost_usd"] == calls["record/weak-2"]["total_cost_usd"]
    assert calls["record/weak-2"]["mcp_call_count"] == 1
    assert calls["record/weak-1"]["mcp_call_count"] == 0


def test_an_answer_that_names_no_model_is_counted_and_unpriced(history):
    call = by_call(history.marts["first"])["anthropic/msg_nameless"]

    assert (call["model_id"], call["total_cost_usd"]) == ("unknown", None)
    assert "unknown" in {row["model_id"] for row in history.marts["first"]["unpriced_usage"]}


@pytest.mark.parametrize("stage", ["first", "late"])
def test_every_cost_mart_holds_every_call_token_and_dollar(history, stage):
    marts = history.marts[stage]
    calls = [
        {**row, "total_calls": 1, "unpriced_calls": int(row["pricing_status"] == "unpriced")}
        for row in marts["mcp_calls"]
    ]

    def totals(mart):
        return {name: sum(row[name] for row in mart if row[name] is not None) for name in MEASURES}

    cost_marts = [name for name in marts if name.startswith(("cost_by_", "cost_ledger"))]
    assert len(cost_marts) >= 5
    assert totals(calls)["total_cost_usd"] > 0
    assert totals(calls)["unpriced_calls"] > 0
    for name in cost_marts:
        assert totals(marts[name]) == totals(calls), name


def closed_rows(ledger: list[Row]) -> list[Row]:
    return [row for row in ledger if row["is_closed"]]


def test_a_closed_month_never_moves(history):
    ledgers = {stage: history.marts[stage]["cost_ledger"] for stage in ("again", "late", "edited")}
    as_it_was = [{**row, "is_closed": True} for row in ledgers["again"]]

    assert len(as_it_was) > 10
    assert {row["charge_class"] for row in as_it_was} == {None}
    assert closed_rows(ledgers["late"]) == sorted(as_it_was, key=repr)
    assert closed_rows(ledgers["edited"]) == closed_rows(ledgers["late"])


def test_what_changes_in_a_closed_month_is_posted_with_its_reason_in_the_first_open_one(history):
    def corrections(stage):
        return {
            (row["charge_period"], row["team_id"], row["model_id"]): row
            for row in history.marts[stage]["cost_ledger"]
            if not row["is_closed"]
        }

    late, edited = corrections("late"), corrections("edited")
    assert {row["billing_period"] for row in (late | edited).values()} == {date(2026, 11, 1)}
    assert {row["charge_class"] for row in (late | edited).values()} == {"Correction"}
    assert {row["reason"] for row in late.values()} == {"late usage"}
    assert {row["reason"] for row in edited.values()} == {
        *("late usage", "price correction", "late usage and price correction"),
    }
    # the calls of these models are as they were, and cost another amount
    corrected = {key for key, row in edited.items() if row["reason"] == "price correction"}
    assert corrected.isdisjoint(late)
    # of "advised", only the pass has another price
    concerned = {MODEL} | {row["model_id"] for row in EDITED_PRICES}
    assert {model_id for _, _, model_id in corrected} <= concerned
    now_priced = edited[date(2026, 10, 1), "of-nobody", WITHOUT_A_PRICE]
    assert now_priced["total_calls"] == 0
    assert now_priced["unpriced_calls"] < 0
    assert now_priced["total_cost_usd"] > 0


def test_a_report_of_loads_counts_every_record_of_a_call(history):
    marts = history.marts["late"]
    observations = sum(row["observation_count"] for row in marts["mcp_calls"])
    merged = sum(row["rows_merged"] for row in marts["load_report"])

    assert len(marts["load_report"]) == 4  # two of transcripts, two of events
    assert observations - merged == len(marts["mcp_calls"])
    assert sum(row["rows_weak"] for row in marts["load_report"]) == 2
    assert sum(row["rows_quarantined"] for row in marts["load_report"]) >= 1


def price(model_id: str, price_band: str, **usd_per_mtok: str) -> Row:
    """Return a row of the price book, from the start of 2026."""
    return {
        **{"vendor": "anthropic", "model_id": model_id, "price_band": price_band},
        **{"valid_from_date": "2026-01-01", "confidence": "high", "source": "a test"},
        **{f"{kind}_usd_per_mtok": usd for kind, usd in usd_per_mtok.items()},
    }


BANDED = "claude-sonnet-5-5"
EVERY_KIND = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
EDITED_PRICES = (
    price("claude-haiku-5-5", "prompt_le_100k", output="0.75"),
    price(WITHOUT_A_PRICE, "standard", **dict.fromkeys(EVERY_KIND, "1")),
    price(BANDED, "prompt_gt_100k", **dict.fromkeys(EVERY_KIND, "9")),
)


def copy_project(folder: Path) -> None:
    """Make a copy of the dbt project whose seeds can be edited."""
    folder.mkdir(parents=True)
    for name in ("models", "macros", "tests", "dbt_project.yml", "profiles.yml"):
        (folder / name).symlink_to(PROJECT_DIR / name)
    shutil.copytree(PROJECT_DIR / "seeds", folder / "seeds")


def edit_prices(project: Path) -> None:
    """Add the edited prices to the price book, or put them in it."""
    path = project / "seeds" / "model_prices.csv"
    with path.open(newline="") as stream:
        book = {
            (row["model_id"], row["price_band"], row["valid_to_date"]): row
            for row in csv.DictReader(stream)
        }
    columns = list(next(iter(book.values())))
    for new in EDITED_PRICES:
        row = book.setdefault((new["model_id"], new["price_band"], ""), new)
        row.update({name: value for name, value in new.items() if "usd" in name})
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(book.values())


def test_an_edited_price_book_prices_again_exactly_the_calls_it_concerns(history):
    before, after = (by_call(history.marts[stage]) for stage in ("anew", "edited"))
    advisors = {"anthropic/msg_advised": WITHOUT_A_PRICE}
    concerned: dict[str, set[str]] = {
        name: set() for name in ("dearer", "no longer unpriced", "in the new band")
    }
    for call_id, call in before.items():
        prompt = sum(
            call[f"{kind}_tokens"]
            for kind in ("input", "cache_write_5m", "cache_write_1h", "cache_read")
        )
        if (call["price_version"] or "").startswith("claude-haiku-5-5/prompt_le_100k/"):
            concerned["dearer"].add(call_id)
        elif WITHOUT_A_PRICE in (call["model_id"], advisors.get(call_id)):
            concerned["no longer unpriced"].add(call_id)
        elif call["model_id"] == BANDED and prompt > 100_000:
            concerned["in the new band"].add(call_id)
    assert all(concerned.values())
    expected = set().union(*concerned.values())
    times = history.priced_at["anew"]
    priced_again = {
        call_id for call_id, time in history.priced_at["edited"].items() if times[call_id] != time
    }
    assert priced_again == expected
    assert {call_id for call_id in before if before[call_id] != after[call_id]} == expected
    for call_id in concerned["no longer unpriced"]:
        assert after[call_id]["pricing_status"] == "priced"
    for call_id in concerned["dearer"]:
        call = before[call_id]
        factor = Decimal("1.1") if call["inference_geo"] == "us" else 1
        more = call["output_tokens"] * Decimal("0.00000025") * factor
        assert after[call_id]["total_cost_usd"] - call["total_cost_usd"] == more


def test_an_edited_price_book_gives_what_a_build_from_nothing_gives(histories, tmp_path):
    original = histories.of["duckdb"]
    settings = Settings(tmp_path, str(tmp_path / "mindweave.duckdb"), "local")
    shutil.copy(original.settings.warehouse_url, settings.warehouse_url)

    dbt(settings, "run", "--full-refresh", project=histories.project)

    assert read_marts(settings, sorted(original.marts["edited"])) == original.marts["edited"]


@pytest.fixture
def models(histories: Histories) -> dict[str, Row]:
    return {
        unique_id: node
        for unique_id, node in histories.manifest["nodes"].items()
        if node["resource_type"] == "model"
    }


def test_data_goes_one_way_through_the_layers(models):
    for model in models.values():
        layer = LAYERS.index(model["fqn"][1])
        for parent in model["depends_on"]["nodes"]:
            if parent.startswith("source."):
                assert layer == 0, f"{model['name']} reads {parent}: only staging may"
            elif parent in models:
                parent_layer = LAYERS.index(models[parent]["fqn"][1])
                assert parent_layer <= layer, f"{model['name']} reads {parent}: it goes back"
                # staging reads sources, what it made of the same one, and when that was loaded
                is_its_own = models[parent]["fqn"][2] in (model["fqn"][2], "mindweave")
                assert layer > 0 or is_its_own, f"{model['name']} reads {parent}"


def test_what_leaves_staging_goes_by_what_is_known(models):
    def ancestors(model):
        parents = [parent for parent in model["depends_on"]["nodes"] if parent in models]
        return {*parents}.union(*(ancestors(models[parent]) for parent in parents))

    [packages] = [id for id, model in models.items() if model["name"] == "stg_mindweave__packages"]
    for model in models.values():
        layers = {models[p]["fqn"][1] for p in model["depends_on"]["nodes"] if p in models}
        if model["fqn"][1] != "staging" and "staging" in layers:
            assert packages in ancestors(model), f"{model['name']} shows what is not complete"


def test_every_model_has_a_property_file_of_its_own_that_begins_with_its_grain(models):
    for model in models.values():
        path = Path(model["original_file_path"])
        assert (model["patch_path"] or "").endswith(str(path.with_suffix(".yml"))), path
        assert model["description"].startswith("**Grain:**"), path


def test_every_public_model_promises_its_columns_and_tests_its_key(histories, models):
    keys = {
        node["attached_node"]
        for node in histories.manifest["nodes"].values()
        if node["resource_type"] == "test"
        and (node.get("test_metadata") or {}).get("name") == "is_key"
    }
    for unique_id, model in models.items():
        if model["access"] == "public":
            assert model["contract"]["enforced"], model["name"]
            assert unique_id in keys, f"{model['name']} has no test of its key"


def test_every_table_says_how_clickhouse_sorts_it(models):
    for model in models.values():
        if model["config"]["materialized"] in ("table", "incremental"):
            assert model["config"].get("order_by"), model["name"]
