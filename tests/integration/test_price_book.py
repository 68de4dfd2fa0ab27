"""A price book with a mistake stops a build before anything is priced, and the marts stay."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from dlt_pipelines.config import PROJECT_DIR, Settings
from dlt_pipelines.destinations import warehouse_at
from flows.price_book import SEEDS
from tests.dbt_process import DbtProcess, dbt_process
from tests.transcripts import (
    MODEL,
    answer,
    assert_one_line,
    command_environment,
    home_settings,
    load,
    mindweave,
    succeeds,
    write,
)

OWN = ("flows", "dlt_pipelines", "seeds")
SHARED = ("models", "macros", "tests", "reports", "dbt_project.yml", "profiles.yml")
PRICE = "anthropic,{model},standard,{dates},{input_usd},5,,,,active,high,a test,"
FOR_LONG_PROMPTS = "anthropic,new,{band},,,,5,25,,,,active,high,a test,"
RETIRED = "claude-3-haiku-20240307"
BAD_DATE = PRICE.format(model=MODEL, dates="2026-13-01,,2026-12-01", input_usd="3")
PRICING = (*SEEDS, "int_prices__in_force", "int_calls__priced")

# 9 dollars instead of 3 for the six uncached tokens of each answer
CORRECTION = (
    f"anthropic,{MODEL},standard,2025-10-01,2025-11-01,2026-12-01,9,15,3.75,6,0.3,active,high,"
    "a test,"
)


@dataclass
class Project:
    """A copy of the project, with its own code and price book, and what it has built."""

    folder: Path
    settings: Settings

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run the command of this copy."""
        return mindweave(self.settings.home, *arguments, PYTHONPATH=str(self.folder))

    def seed(self, name: str) -> Path:
        return self.folder / "seeds" / f"{name}.csv"

    def add(self, line: str, seed: str = "model_prices") -> int:
        """Add a row to a seed and return its number."""
        with self.seed(seed).open("a", newline="", encoding="utf-8") as stream:
            stream.write(f"{line}\n")
        return len(self.seed(seed).read_text("utf-8").splitlines())

    def remove_last(self, seed: str = "model_prices") -> None:
        lines = self.seed(seed).read_text("utf-8").splitlines(keepends=True)
        self.seed(seed).write_text("".join(lines[:-1]), "utf-8")

    def calls(self) -> list[dict]:
        """Return all that is known of every call, the time of its pricing included."""
        schema = self.settings.staging_schema
        sql = f"select * from {schema}.int_calls__priced order by call_id"
        calls: list[dict] = warehouse_at(self.settings.warehouse_url).query(sql).to_pylist()
        return calls


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a copy that has priced one call."""
    folder = tmp_path_factory.mktemp("project")
    copy_project(folder)
    settings = home_settings(folder / "home" / "mindweave")
    load(settings, write(folder / "transcripts" / "session.jsonl", answer(1)))
    project = Project(folder, settings)
    succeeds(project.run("build"))
    return project


def copy_project(folder: Path) -> None:
    """Copy what a user edits and what finds the project by its own place; link the rest."""
    for name in OWN:
        shutil.copytree(
            PROJECT_DIR / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in SHARED:
        (folder / name).symlink_to(PROJECT_DIR / name)


def assert_refused(done, row):
    assert done.returncode == 1, done.stdout
    assert_one_line(done.stderr)
    assert done.stderr == (
        f"mindweave: seeds/model_prices.csv, row {row}: "
        'valid_from_date: "2026-13-01" is not a date (YYYY-MM-DD)\n'
    )


def test_a_bad_row_stops_build_and_run_and_what_was_priced_stays(built, tmp_path):
    before = built.calls()
    row = built.add(BAD_DATE)
    write(built.folder / "transcripts" / "second.jsonl", answer(2))

    assert_refused(built.run("build"), row)
    assert built.calls() == before
    # the process that gets ready while rows are read says the same
    assert_refused(built.run("run", "--path", built.folder / "transcripts"), row)
    assert built.calls() == before

    built.remove_last()
    built.add(CORRECTION)
    succeeds(built.run("build"))
    corrected, second = built.calls()
    assert corrected["list_cost_usd"] - before[0]["list_cost_usd"] == Decimal("0.000036")
    assert second["list_cost_usd"] == corrected["list_cost_usd"]


@pytest.fixture(scope="module")
def dbt(built: Project) -> Iterator[DbtProcess]:
    """Run dbt alone on the copy, as an analytics engineer does."""
    environment = command_environment(
        built.settings.home,
        MINDWEAVE_CUSTOMER=built.settings.customer,
        DO_NOT_TRACK="1",
        **warehouse_at(built.settings.warehouse_url).dbt_environment(),
    )
    with dbt_process(built.folder, built.folder / "home" / "dbt", environment) as process:
        yield process


# a test that reads several seeds only stops what is made of all of them
@pytest.mark.parametrize(
    ("mistakes", "culprits"),
    [
        ({"model_prices": BAD_DATE}, ["model_prices"]),
        (
            {
                "model_prices": PRICE.format(model="new", dates=",,", input_usd="-3"),
                "price_modifiers": "anthropic,,batch,0,2026-01-01,,,high,a test,",
                "server_tool_prices": "openai,web_search,-1,,,,high,a test,",
                "contract_discounts": "local,anthropic,,-0.9,,,,C-1,",
            },
            [
                "never_negative_model_prices",
                "always_positive_price_modifiers",
                "no_overlapping_periods_price_modifiers",
                "never_negative_server_tool_prices",
                "always_positive_contract_discounts",
            ],
        ),
        (
            {
                "model_prices": PRICE.format(
                    model=MODEL, dates="2026-08-01,,2025-09-29", input_usd=5
                )
            },
            ["assert_prices_of_one_prompt_do_not_overlap"],
        ),
        (
            {"model_prices": PRICE.format(model=RETIRED, dates="2026-08-01,,", input_usd=5)},
            ["assert_prices_leave_no_gap"],
        ),
        (
            {"model_prices": FOR_LONG_PROMPTS.format(band="prompt_gt_200k")},
            ["assert_prices_leave_no_gap"],
        ),
        (
            {"model_prices": FOR_LONG_PROMPTS.format(band="prompt_gt_1m")},
            ["relationships_model_prices_price_band"],
        ),
        (
            {"model_prices": "antropic" + FOR_LONG_PROMPTS.format(band="standard")[9:]},
            ["relationships_model_prices_vendor"],
        ),
        (
            {"model_aliases": "anthropic,claude-opus,claude-opus-55,,a test"},
            ["assert_every_model_named_is_in_the_price_book"],
        ),
    ],
)
def test_dbt_alone_stops_before_anything_is_priced(built, dbt, mistakes, culprits):
    before = built.calls()
    for seed, line in mistakes.items():
        built.add(line, seed)

    with pytest.raises(AssertionError):
        dbt.run("build", "--exclude-resource-type", "unit_test", "--select", *PRICING)
    for seed in mistakes:
        built.remove_last(seed)

    results = json.loads((dbt.target / "run_results.json").read_text("utf-8"))["results"]
    status = {result["unique_id"].split(".")[2]: result["status"] for result in results}
    failed = [name for name in status if status[name] in ("error", "fail")]
    for culprit in culprits:
        assert any(name.startswith(culprit) for name in failed), failed
    assert status["int_calls__priced"] == "skipped"
    assert built.calls() == before
