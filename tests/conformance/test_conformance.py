"""Every case of the conformance pack on every engine, and what holds of the pack itself."""

import contextlib
import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from flows.conformance import CASES, compare, read_cases, run_mindweave
from tests import servers

Row = dict[str, Any]

ENGINES = ("duckdb", "postgres", "clickhouse cluster")
PACK = {case.name: case for case in read_cases()}
# what the vendor or the client made to be unique; copies of a record share them within a case
IDS = re.compile(r'"(?:id|uuid|requestId)": ?"([^"]+)"')


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_url: str,
    clickhouse_cluster_url: str,
) -> Iterator[dict[str, dict[str, Row]]]:
    """Load and build all cases on every engine."""
    with contextlib.ExitStack() as stack:
        stack.callback(servers.drop_customer_databases, clickhouse_cluster_url)
        urls = (
            None,
            stack.enter_context(servers.postgres_database(postgres_url)),
            clickhouse_cluster_url,
        )
        home = tmp_path_factory.mktemp("conformance")
        yield run_mindweave(list(PACK.values()), home, dict(zip(ENGINES, urls, strict=True)))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PACK)
def test_a_case_comes_out_exactly(found, name, engine):
    assert compare(PACK[name].expected, found[engine][name]).differences == []


@pytest.mark.parametrize("engine", ENGINES)
def test_days_hold_every_call_token_and_dollar(found, engine):
    for name, case in found[engine].items():
        days = case["days"].values()
        for column in next(iter(days)):
            known = [day[column] for day in days if day[column] is not None]
            assert (sum(known) if known else None) == case["totals"][column], (name, column)


@pytest.mark.parametrize("engine", ENGINES)
def test_shares_of_tool_calls_sum_to_their_calls(found, engine):
    for name, case in found[engine].items():
        allocated: dict[str, Any] = defaultdict(int)
        for tool_call in case["tool_calls"]:
            allocated[tool_call["call_id"]] += tool_call["allocated_cost_usd"]
        costs = {call["call_id"]: call["total_cost_usd"] for call in case["calls"]}
        assert {call_id: costs[call_id] for call_id in allocated} == allocated, name


def test_the_pack_has_its_cases():
    assert len(PACK) >= 25
    assert sorted(PACK) == sorted(folder.name for folder in CASES.iterdir())


@pytest.mark.parametrize("name", PACK)
def test_a_case_is_whole(name):
    case = PACK[name]

    assert len((case.folder / "README.md").read_text("utf-8")) > 100
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", name)
    assert {"totals", "days"} <= case.expected.keys()
    assert list((case.input / "projects").glob("*/*.jsonl"))
    assert {path.name for path in case.folder.iterdir()} <= {
        *("README.md", "expected.json", "input", "seeds")
    }


@pytest.mark.parametrize("name", PACK)
def test_an_amount_is_written_as_text(name):
    text = (PACK[name].folder / "expected.json").read_text("utf-8")
    amounts = re.findall(r'_usd": *([^,}\s]+)', text)

    assert amounts
    assert all(re.fullmatch(r'null|"[0-9]+(\.[0-9]+)?"', amount) for amount in amounts)


def test_an_id_is_of_one_case():
    cases_of: dict[str, set[str]] = defaultdict(set)
    for name, case in PACK.items():
        for path in case.input.rglob("*.jsonl"):
            cases_of[path.name].add(name)
            for line in path.read_text("utf-8").splitlines():
                for found_id in IDS.findall(line):
                    cases_of[found_id].add(name)

    assert len(cases_of) > 2000
    assert {key: names for key, names in cases_of.items() if len(names) > 1} == {}


def test_a_row_that_a_case_adds_concerns_no_other_case(found):
    concerned = {
        (name, other, call["model_id"])
        for name, case in PACK.items()
        for path in case.seeds
        for row in csv.DictReader(path.open(encoding="utf-8"))
        for other, result in found["duckdb"].items()
        if other != name
        for call in result["calls"]
        if row.get("model_id") in ("", None, call["model_id"]) and _is_in_force(row, call)
    }

    assert concerned == set()


def _is_in_force(row: Row, call: Row) -> bool:
    day = call["called_at"].date()
    first = date.fromisoformat(row.get("valid_from_date") or "1970-01-01")
    end = date.fromisoformat(row.get("valid_to_date") or "2100-01-01")
    return bool(first <= day < end)


def test_the_pack_can_be_read_from_another_place(tmp_path):
    case = tmp_path / "cases" / "an_own_case"
    case.mkdir(parents=True)
    (case / "expected.json").write_text('{"totals": {"total_calls": 1}}')

    assert [case.name for case in read_cases(folder=tmp_path / "cases")] == ["an_own_case"]
