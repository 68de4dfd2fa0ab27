"""Closing months with the real command: what was billed stays, what changes is posted later."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_pipelines.config import PROJECT_DIR
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.landing import EXPECTATION_RESULTS, RawTable
from dlt_pipelines.load import load_rows, make_missing_tables
from dlt_pipelines.sources.litellm.tables import SPEND_LOGS
from flows import close, steps
from tests.transcripts import (
    Killed,
    answer,
    append,
    assert_one_line,
    home_settings,
    load,
    mindweave,
    rows,
    succeeds,
    write,
)

SONNET, HAIKU = "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"
OCTOBER, NOVEMBER, DECEMBER = date(2025, 10, 1), date(2025, 11, 1), date(2025, 12, 1)
COLUMNS = "billing_period, charge_period, reason, model_id, total_calls, total_cost_usd"
LEDGER = "select * from {marts}.cost_ledger order by all"
POSTED = f"select {COLUMNS} from {{marts}}.cost_ledger where not is_closed order by all"
CLOSED = "select * from {marts}.cost_ledger where is_closed order by all"
Rows = list[tuple[Any, ...]]


def said(number: int, day: str, model: str = SONNET) -> dict[str, Any]:
    """Return an answer on a day that costs 30 (Sonnet) or 10 (Haiku) cents."""
    tokens = {"input_tokens": 100_000, "output_tokens": 0, "cache_read_input_tokens": 0}
    tokens |= {"cache_creation_input_tokens": 0}
    record = answer(number, timestamp=f"{day}T12:00:00.000Z", usage=tokens)
    record["message"]["usage"] |= {"cache_creation": None, "server_tool_use": None}
    record["message"]["usage"]["inference_geo"] = "global"
    record["message"]["model"] = model
    return record


def copy_of_the_project(folder: Path) -> Path:
    """Copy what the command runs, so that its price book can be added to."""
    for name in ("dlt_pipelines", "flows", "macros", "models", "seeds", "tests/dbt"):
        shutil.copytree(
            PROJECT_DIR / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(PROJECT_DIR / name, folder / name)
    return folder


@dataclass
class Story:
    """A home, the project that runs on it, and what was printed and posted on the way."""

    home: Path
    project: Path
    transcript: Path
    printed: dict[str, str] = field(default_factory=dict)
    posted: dict[str, Rows] = field(default_factory=dict)
    closed: dict[str, Rows] = field(default_factory=dict)
    ledger: dict[str, Rows] = field(default_factory=dict)

    def run(self, *arguments: str) -> Any:
        """Run the command of the copied project."""
        return mindweave(self.home, *arguments, PYTHONPATH=str(self.project))

    def step(self, name: str, *arguments: str) -> None:
        """Run a command, and remember what the ledger says then."""
        self.printed[name] = succeeds(self.run(*arguments))
        settings = home_settings(self.home)
        self.posted[name] = rows(settings, POSTED)
        self.closed[name] = rows(settings, CLOSED)
        self.ledger[name] = rows(settings, LEDGER)

    def load(self, *records: dict[str, Any]) -> None:
        """Load answers that came late."""
        append(self.transcript, *records)
        load(home_settings(self.home), self.transcript.parent)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("close")
    transcript = write(
        folder / "transcripts" / "s.jsonl",
        *(said(1, "2025-10-03"), said(2, "2025-10-31"), said(3, "2025-10-20", HAIKU)),
        said(4, "2025-11-05"),
    )
    story = Story(folder / "home", copy_of_the_project(folder / "project"), transcript)
    load(home_settings(story.home), transcript.parent)
    story.step("close October", "close", "2025-10")
    story.load(said(5, "2025-10-30"))
    story.step("late usage", "build")
    prices = story.project / "seeds" / "model_prices.csv"
    header = prices.read_text("utf-8").splitlines()[0].split(",")
    price = {
        **{"vendor": "anthropic", "model_id": HAIKU, "price_band": "standard"},
        **{"valid_from_date": "2025-10-15", "known_from_date": "2025-12-01"},
        **{"input_usd_per_mtok": "1.5", "output_usd_per_mtok": "5"},
        **{"cache_write_5m_usd_per_mtok": "1.25", "cache_write_1h_usd_per_mtok": "2"},
        **{"cache_read_usd_per_mtok": "0.1", "status": "active", "confidence": "high"},
        **{"source": "a test"},
    }
    with prices.open("a", encoding="utf-8") as stream:
        stream.write(",".join(price.get(name, "") for name in header) + "\n")
    story.step("price", "build")
    story.step("close November", "close", "2025-11")
    story.load(said(6, "2025-10-29", HAIKU))
    story.step("late again", "build")
    with duckdb.connect(home_settings(story.home).warehouse_url) as connection:
        for schema in ("customer_local", "customer_local_staging"):
            connection.execute(f"drop schema {schema} cascade")
    story.step("from raw alone", "build")
    story.step("overview", "close")
    yield story


def test_a_close_says_what_it_froze(story: Story) -> None:
    assert story.printed["close October"] == "2025-10 closed: 3 calls, $0.70\n"
    assert story.printed["close November"] == (
        "2025-11 closed: 2 calls, $0.65, 2 corrections of earlier months in it (+$0.35)\n"
    )


def test_a_closed_month_never_moves(story: Story) -> None:
    of_october = story.closed["close October"]
    assert len(of_october) == 2
    for step in ("late usage", "price"):
        assert story.closed[step] == of_october, step
    of_both = story.closed["close November"]
    assert [row for row in of_both if row[0] == OCTOBER] == of_october
    for step in ("late again", "from raw alone"):
        assert story.closed[step] == of_both, step


def test_late_usage_and_a_corrected_price_are_posted_in_the_open_month(story: Story) -> None:
    late = (NOVEMBER, OCTOBER, "late usage", SONNET, 1, Decimal("0.3"))
    price = (NOVEMBER, OCTOBER, "price correction", HAIKU, 0, Decimal("0.05"))
    usual = (NOVEMBER, NOVEMBER, None, SONNET, 1, Decimal("0.3"))

    assert story.posted["close October"] == [usual]
    assert story.posted["late usage"] == [late, usual]
    assert story.posted["price"] == [late, price, usual]


def test_once_corrections_are_closed_only_what_changes_afterwards_is_posted(story: Story) -> None:
    assert story.posted["close November"] == []
    assert story.posted["late again"] == [
        (DECEMBER, OCTOBER, "late usage", HAIKU, 1, Decimal("0.15"))
    ]


def test_the_ledger_is_the_same_after_all_but_raw_was_dropped(story: Story) -> None:
    assert story.ledger["from raw alone"] == story.ledger["late again"]
    assert len(story.ledger["late again"]) == 6


def test_both_numbers_of_a_month_can_be_asked_for(story: Story) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    lines = [line.strip() for line in story.printed["overview"].splitlines()]
    found = [re.split(r"\s{2,}", line) for line in lines if re.match(r"2|\+", line)]

    assert found == [
        ["2025-10", today, "$0.70", "$1.20", "+$0.35 in 2025-11"],
        ["+$0.15 in 2025-12"],
        ["2025-11", today, "$0.65", "+$0.35", "$0.30"],
        ["2025-12", "open", "+$0.15", "$0.00"],
    ]


def test_the_current_number_is_that_of_the_other_marts(story: Story) -> None:
    assert rows(
        home_settings(story.home),
        "select charge_period, sum(total_cost_usd) from {marts}.cost_ledger group by 1 order by 1",
    ) == rows(
        home_settings(story.home),
        "select period, sum(total_cost_usd) from {marts}.cost_by_team group by 1 order by 1",
    )


@pytest.mark.parametrize(
    ("month", "problem"),
    [
        ("2025-13", "'2025-13' is not a month: write it as 2026-10"),
        ("2025-10", "2025-10 was closed on "),
        ("2025-09", "2025-09 is before the first month that can be closed, which is 2025-12"),
        (f"{datetime.now(UTC):%Y-%m}", "is not over in UTC: close it from "),
    ],
)
def test_a_month_that_cannot_be_closed_is_wrong_use(story: Story, month: str, problem: str) -> None:
    before = rows(home_settings(story.home), "select count(*) from {raw}.month_closes")

    done = story.run("close", month)

    assert done.returncode == 2
    assert_one_line(done.stderr)
    assert problem in done.stderr
    assert rows(home_settings(story.home), "select count(*) from {raw}.month_closes") == before


def test_with_nothing_loaded_there_is_nothing_to_close(tmp_path: Path) -> None:
    for arguments, problem in (
        (("close", "2025-10"), "nothing is loaded for customer local"),
        (("close",), "nothing is built for customer local: run `mindweave build` first"),
    ):
        done = mindweave(tmp_path / "home", *arguments)

        assert done.returncode == 1
        assert_one_line(done.stderr)
        assert problem in done.stderr


def test_a_close_that_is_killed_or_repeated_counts_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = home_settings(home)
    transcript = write(tmp_path / "t" / "s.jsonl", said(1, "2025-10-03"), said(2, "2025-12-03"))
    load(settings, transcript.parent)
    steps.build_models(settings)
    package = "*/local__closes/load/normalized/*"

    was_killed = Killed(home, "close", "2025-11").when_there_is(home / "dlt", package)
    append(transcript, said(3, "2025-10-04"))
    load(settings, transcript.parent)
    again = mindweave(home, "close", "2025-11")

    assert was_killed
    assert again.returncode in (0, 2), again.stderr  # 2: what was under way is finished first
    assert not steps.needs_build(settings)
    months = "select billing_period, count(*), count(distinct load_id) from {raw}.month_closes"
    assert rows(settings, f"{months} group by 1 order by 1") == [
        ("2025-10-01", 1, 1),
        ("2025-11-01", 1, 1),
    ]
    # as if another home had closed it at the same time: the first that was complete counts
    before = rows(settings, LEDGER)
    close.freeze(settings, OCTOBER, NOVEMBER)
    assert steps.needs_build(settings)
    steps.build_models(settings)
    assert rows(settings, "select count(*) from {raw}.month_closes") != [(2,)]
    assert rows(settings, LEDGER) == before


@pytest.mark.parametrize("server", [None, "postgres_database", "clickhouse_cluster"], ids=str)
def test_a_warehouse_that_was_loaded_without_some_tables_and_columns_gets_them(
    tmp_path: Path, request: pytest.FixtureRequest, server: str | None
) -> None:
    settings = home_settings(tmp_path / "home")
    if server:
        settings = type(settings)(settings.home, request.getfixturevalue(server), "local")
    load_rows(settings, "checks", EXPECTATION_RESULTS, [])
    older = RawTable(SPEND_LOGS.name, {"load_id": "text"})
    load_rows(settings, "checks", older, [])

    assert make_missing_tables(settings)

    warehouse = warehouse_at(settings.warehouse_url)
    for table in ("month_closes", "quarantine", "claude_code_messages"):
        query = f"select count(*) as row_count from {settings.raw_schema}.{table}"
        assert warehouse.query(query).to_pylist() == [{"row_count": 0}]
    columns = ", ".join(SPEND_LOGS.columns)
    assert not len(warehouse.query(f"select {columns} from {settings.raw_schema}.{older.name}"))
    assert not make_missing_tables(settings)
    # and a source that loads for the first time after a build finds tables that take its files
    loaded = load(settings, write(tmp_path / "t" / "s.jsonl", said(1, "2025-10-03"), "broken"))
    assert (loaded.counts.rows_loaded, loaded.counts.rows_quarantined) == (1, 1)
