"""`restate` and `whatif`: what any period costs under another price book."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import MissingRelationError, warehouse_at
from dlt_pipelines.errors import UsageError
from flows.compare import compare_marts, public_marts
from flows.scenarios import read_rows
from tests.project_copy import ProjectCopy
from tests.transcripts import (
    MODEL,
    Killed,
    answer,
    assert_one_line,
    home_settings,
    load,
    mindweave,
    succeeds,
    write,
)

OPUS = "claude-opus-4-5-20251101"
WITHOUT_A_PRICE = "claude-nova"
USAGE: dict[str, Any] = {
    "input_tokens": 1000,
    "output_tokens": 100,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {},
    "server_tool_use": {},
}
# day and model of each call of a team; a Sonnet call costs 0.0045, an Opus call 0.0075
CALLS = {
    "search": (("2025-10-31", MODEL), ("2025-11-01", MODEL), ("2025-12-01", OPUS)),
    "payments": (("2025-11-30", MODEL), ("2025-12-01", MODEL), ("2025-12-02", WITHOUT_A_PRICE)),
}
# Sonnet's price of November was another one, which became known in January
CORRECTION = {
    "vendor": "anthropic",
    "model_id": MODEL,
    "price_band": "standard",
    "valid_from_date": "2025-11-01",
    "valid_to_date": "2025-12-01",
    "known_from_date": "2026-01-15",
    "input_usd_per_mtok": 4,
    "output_usd_per_mtok": 20,
    "confidence": "high",
    "source": "a corrected list",
}


def load_calls(settings: Settings) -> None:
    """Load what the teams called."""
    for team, calls in CALLS.items():
        records = []
        for number, (day, model) in enumerate(calls):
            record = answer(f"{team}-{number}", usage=USAGE, timestamp=f"{day}T12:00:00Z")
            record["message"]["model"] = model
            records.append(record)
        path = write(settings.home.parent / f"{team}.jsonl", *records)
        load(settings, path, root={"user": "dana", "team": team})


def contents(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Return every public mart, row by row."""
    warehouse = warehouse_at(settings.warehouse_url)
    return {
        mart: sorted(
            warehouse.query(f"select * from {settings.marts_schema}.{mart}").to_pylist(), key=repr
        )
        for mart in public_marts(settings)
    }


def csv_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def amounts(path: Path) -> dict[tuple[str, ...], list[str]]:
    """Return cost, cost under the scenario and difference of each row, without zeros at the end."""
    header, *rows = csv_rows(path)
    keys = header.index("total_calls")
    return {
        tuple(row[:keys]): [
            f"{Decimal(amount).normalize():f}" if amount else "" for amount in row[-3:]
        ]
        for row in rows
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ProjectCopy:
    """Give a project whose price book was corrected once."""
    copy = ProjectCopy(tmp_path_factory.mktemp("project"))
    copy.add_row("model_prices", **CORRECTION)
    return copy


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home with what was loaded; the first command that needs it built builds it."""
    home = tmp_path_factory.mktemp("scenarios") / "home"
    load_calls(home_settings(home))
    return home


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """Give a list of prices with no more columns than it needs; that of Opus is not known."""
    path = tmp_path / "prices.csv"
    path.write_text(
        "vendor,model_id,valid_to_date,input_usd_per_mtok,output_usd_per_mtok,"
        "cache_write_5m_usd_per_mtok,cache_write_1h_usd_per_mtok,cache_read_usd_per_mtok\n"
        f"anthropic,{MODEL},2025-12-01,1,5,,,\n"
        f"anthropic,{OPUS},,,,,,\n",
        "utf-8",
    )
    return path


class TestRestate:
    def test_only_what_was_not_known_yet_costs_something_else(self, project, home, tmp_path):
        output = tmp_path / "restated.csv"
        restate = ("restate", "--as-known-on")

        printed = succeeds(project.command(home, *restate, "2026-01-14", "--output", output))

        assert amounts(output) == {
            ("2025-10-01", "search", MODEL): ["0.0045", "0.0045", "0"],
            ("2025-11-01", "payments", MODEL): ["0.006", "0.0045", "-0.0015"],
            ("2025-11-01", "search", MODEL): ["0.006", "0.0045", "-0.0015"],
            ("2025-12-01", "payments", MODEL): ["0.0045", "0.0045", "0"],
            ("2025-12-01", "payments", WITHOUT_A_PRICE): ["", "", ""],
            ("2025-12-01", "search", OPUS): ["0.0075", "0.0075", "0"],
        }
        lines = [line.split() for line in printed.splitlines()]
        assert ["2025-11", "2", "0", "$0.01", "$0.01", "-$0.003"] in lines
        assert ["Total", "6", "1", "$0.03", "$0.03", "-$0.003"] in lines
        assert "restated_local" in printed

        before = contents(home_settings(home))
        succeeds(project.command(home, *restate, "2026-01-15", "--output", output))
        assert {difference for *_, difference in amounts(output).values()} == {"0", ""}

        # nobody knew a price of Opus on that day: unknown, and not 0
        printed = succeeds(project.command(home, *restate, "2025-11-20", "--output", output))
        assert amounts(output)["2025-12-01", "search", OPUS] == ["0.0075", "", ""]
        assert ["search", OPUS, "1", "0", "→", "1", "$0.01", "unpriced", "unknown"] in [
            line.split() for line in printed.splitlines()
        ]
        assert "Unpriced: 1 calls now, 2 restated" in printed
        assert contents(home_settings(home)) == before, "the customer's marts stay as they are"

    @pytest.mark.parametrize("day", ["2026-13-01", "20260101", "yesterday", ""])
    def test_what_is_no_day_is_wrong_use(self, home, day):
        done = mindweave(home, "restate", "--as-known-on", day)

        assert done.returncode == 2
        assert_one_line(done.stderr)
        assert f"{day!r} is not a day" in done.stderr


class TestWhatIf:
    def test_other_prices_where_they_are_in_force(self, project, home, prices, tmp_path):
        before = contents(home_settings(home)) if (home / "dbt" / "local").exists() else None
        output = tmp_path / "what_if.csv"
        arguments = ("whatif", "--prices", prices, "--output", output)

        printed = succeeds(project.command(home, *arguments))

        assert amounts(output) == {
            ("payments", MODEL): ["0.0105", "0.006", "-0.0045"],
            ("payments", WITHOUT_A_PRICE): ["", "", ""],
            ("search", MODEL): ["0.0105", "0.003", "-0.0075"],
            ("search", OPUS): ["0.0075", "", ""],
        }
        assert csv_rows(output)[0] == [
            *("team_id", "model_id", "total_calls", "unpriced_calls", "scenario_unpriced_calls"),
            *("total_cost_usd", "scenario_cost_usd", "difference_usd"),
        ]
        assert "Unpriced: 1 calls now, 2 what if" in printed
        if before:
            assert contents(home_settings(home)) == before

        # the first day counts, the last does not
        succeeds(project.command(home, *arguments, "--from", "2025-11-01", "--to", "2025-11-30"))
        assert amounts(output) == {("search", MODEL): ["0.006", "0.0015", "-0.0045"]}

    def test_another_contract_stands_instead_of_the_one_in_force(self, home, tmp_path):
        project = ProjectCopy(tmp_path / "project")
        project.add_row(
            "contract_discounts",
            customer_id="local", vendor="anthropic", model_id=MODEL,
            multiplier="0.8", contract="of today",
        )  # fmt: skip
        discounts, output = tmp_path / "discounts.csv", tmp_path / "out.csv"
        arguments = ("whatif", "--discounts", discounts, "--output", output)
        other_home = tmp_path / "home"
        load_calls(home_settings(other_home))

        discounts.write_text("vendor,multiplier\nanthropic,0.5\n", "utf-8")
        succeeds(project.command(other_home, *arguments))
        assert amounts(output)["payments", MODEL] == ["0.0072", "0.0045", "-0.0027"]
        assert amounts(output)["search", OPUS] == ["0.0075", "0.00375", "-0.00375"]

        discounts.write_text("vendor,multiplier\n", "utf-8")
        succeeds(project.command(other_home, *arguments))
        assert amounts(output)["payments", MODEL] == ["0.0072", "0.009", "0.0018"]
        assert amounts(output)["search", OPUS] == ["0.0075", "0.0075", "0"]

    @pytest.mark.parametrize(
        ("right", "wrong", "said"),
        [
            ("2025-12-01,1,5", "2025-12-32,1,5", "row 2: valid_to_date"),
            ("2025-12-01,1,5", "2025-12-01,-1,5", "row 2: input_usd_per_mtok"),
            (f"anthropic,{OPUS}", f"nobody,{OPUS}", "row 3"),
            (OPUS, MODEL, "rows 2 and 3"),
            ("vendor,", "seller,", "the column vendor is missing"),
        ],
    )
    def test_a_mistake_in_a_price_list_is_named_by_file_row_and_rule(
        self, prices, right, wrong, said
    ):
        prices.write_text(prices.read_text("utf-8").replace(right, wrong), "utf-8")

        with pytest.raises(UsageError) as failure:
            read_rows(prices, "model_prices")

        assert str(failure.value).startswith(str(prices))
        assert said in str(failure.value)
        assert failure.value.exit_code == 2

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((), "name a file with --prices or --discounts"),
            (("--prices", "nowhere.csv"), "there is no file nowhere.csv"),
            (("--prices", "p.csv", "--output", "no/folder.csv"), "there is no folder no"),
            (("--prices", "p.csv", "--from", "2026-01-02", "--to", "2026-01-02"), "no day to"),
        ],
    )
    def test_what_makes_no_sense_is_wrong_use(self, home, arguments, said):
        done = mindweave(home, "whatif", *arguments)

        assert done.returncode == 2
        assert_one_line(done.stderr)
        assert said in done.stderr

    def test_nothing_of_a_scenario_that_was_killed_is_left_in_the_next(self, tmp_path, prices):
        home = tmp_path / "home"
        load_calls(home_settings(home))
        succeeds(mindweave(home, "build"))
        before = contents(home_settings(home))
        output = tmp_path / "out.csv"
        arguments = ("whatif", "--prices", prices, "--output", output)
        built = home / "dbt" / "local-whatif" / "run"
        assert Killed(home, *arguments).when_there_is(built, "**/int_prices__in_force.sql")

        assert contents(home_settings(home)) == before
        with duckdb.connect(home_settings(home).warehouse_url) as connection:
            connection.execute("create table whatif_local.of_an_older_project as select 1 as id")
        succeeds(mindweave(home, *arguments))

        assert amounts(output)["search", MODEL] == ["0.009", "0.003", "-0.006"]
        assert contents(home_settings(home)) == before
        with pytest.raises(MissingRelationError):
            warehouse_at(home_settings(home).warehouse_url).query(
                "select * from whatif_local.of_an_older_project"
            )


# the one that differs most; what was known when is a test of the models
@pytest.mark.parametrize("server", ["clickhouse_cluster"])
def test_a_scenario_on_a_server_is_the_same_to_the_last_digit(
    tmp_path: Path, server: str, prices: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server)
    here, there = home_settings(tmp_path / "home"), Settings(tmp_path / "home", url, "local")
    printed = []
    for settings in (here, there):
        load_calls(settings)
        output = tmp_path / "whatif.csv"
        arguments = ("whatif", "--prices", str(prices), "--output", output)
        variables = {"MINDWEAVE_WAREHOUSE": settings.warehouse_url}
        text = succeeds(mindweave(here.home, *arguments, **variables))
        printed.append((text, csv_rows(output)))
    assert printed[0] == printed[1]
    sides = [
        Settings(here.home, settings.warehouse_url, "local", "whatif") for settings in (here, there)
    ]
    marts = [mart for mart in public_marts(sides[0]) if mart.startswith("cost_by")]
    for comparison in compare_marts(sides[0], sides[1], [*marts, "mcp_calls"]):
        assert comparison.is_equal, str(comparison)
