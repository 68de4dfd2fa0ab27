"""What any period costs under another price book: as it was known on a day, or with other prices.

A scenario builds what depends on the price book into schemas of its own and reads the rest from the
customer's, which stay as they are. Its schemas stay until the next scenario of its kind.
"""

import csv
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from dlt_pipelines.config import PROJECT_DIR, Settings
from dlt_pipelines.errors import MindweaveError, UsageError
from flows import steps
from flows.dbt_project import DbtProject, copy_project, dbt_folder

# what is known later than all that a seed says wins wherever it is in force
KNOWN_FROM, KNOWN_LAST = "known_from_date", date(2100, 1, 1)

# the seeds, the models that read them, and the tests that each layer holds every token and dollar
SELECTION = (
    "--indirect-selection=empty",
    "--select",
    "resource_type:seed",
    "resource_type:seed+,resource_type:model",
    "test_name:costs_match_calls",
    "test_name:totals_match",
    "test_name:unpriced_calls_match",
)

Row = dict[str, Any]


def restate(settings: Settings, as_known_on: date) -> Settings:
    """Price every call by what the price book said on a day; return whose marts show it.

    Raises MindweaveError where nothing is loaded, or a build fails.
    """
    return _build(
        settings,
        replace(settings, schema_prefix="restated"),
        variables={"mindweave__as_known_on": as_known_on.isoformat()},
    )


def what_if(
    settings: Settings, prices: Sequence[Row] = (), discounts: Sequence[Row] | None = None
) -> Settings:
    """Price every call with other prices, another contract or both; return as `restate` does.

    A model that ``prices`` do not name keeps its price; ``discounts`` stand for the whole contract.
    """
    scenario = replace(settings, schema_prefix="whatif")
    project = copy_project(PROJECT_DIR, dbt_folder(scenario) / "project")
    try:
        seeds = project / "seeds"
        _append(seeds / "model_prices.csv", [row | {KNOWN_FROM: KNOWN_LAST} for row in prices])
        if discounts is not None:
            contract = seeds / "contract_discounts.csv"
            contract.write_text(contract.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
            _append(contract, discounts)
        return _build(settings, scenario, project)
    finally:
        shutil.rmtree(project)


def read_rows(path: Path, seed: str) -> list[Row]:
    """Read a file with columns of a seed; what it leaves out is filled.

    Raises UsageError where there is no such file, or naming file, row and rule.
    """
    from flows.price_book import read_file

    try:
        return [row.model_dump() for row in read_file(path, seed)]
    except MindweaveError as error:
        raise UsageError(str(error)) from None


def _build(
    settings: Settings,
    scenario: Settings,
    project: Path = PROJECT_DIR,
    variables: Mapping[str, str] | None = None,
) -> Settings:
    if steps.needs_build(settings):
        steps.build_models(settings)
    # dbt takes from here where the customer's own models are
    names = dbt_folder(scenario) / "customer"
    DbtProject(settings, folder=names).write_manifest()
    built = DbtProject(scenario, project=project, variables=variables)
    built.clear_schemas()
    built.build("--full-refresh", "--defer", "--favor-state", f"--state={names}", *SELECTION)
    return scenario


def _append(seed: Path, rows: Sequence[Row]) -> None:
    text = seed.read_text("utf-8")
    columns = next(csv.reader(text.splitlines()))
    with seed.open("a", encoding="utf-8", newline="") as file:
        file.write("" if text.endswith("\n") else "\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([_as_text(row[column]) for column in columns] for row in rows)


def _as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "" if value is None else str(value)
