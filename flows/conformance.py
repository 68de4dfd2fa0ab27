"""The conformance pack: transcripts with exact answers, to hold MindWeave or another tool against.

A case is a folder of tests/conformance/cases; tests/conformance/README.md says what is in one. A
build takes seconds and a case milliseconds, so cases share builds: each is a team of its own.
"""

import csv
import difflib
import json
import multiprocessing
import os
import shlex
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from dlt_pipelines.config import PROJECT_DIR, Settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError, UsageError
from dlt_pipelines.load import load_source, make_missing_tables
from flows.dbt_project import DbtProject, copy_project
from flows.price_book import check_price_book

CASES = PROJECT_DIR / "tests" / "conformance" / "cases"
MARTS = ("mcp_calls", "mcp_tool_calls", "cost_by_team_daily")

LISTS = ("calls", "tool_calls", "quarantine")
PARTS = ("totals", "days", *LISTS)
TOKENS = (
    *("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
    *("cache_read_tokens", "output_tokens"),
)
OF_A_DAY = ("total_calls", *TOKENS, "list_cost_usd", "total_cost_usd", "unpriced_calls")
SUMMED = (
    *(*TOKENS, "cache_write_assumed_tokens", "web_search_requests"),
    *("list_cost_usd", "total_cost_usd", "upper_bound_cost_usd"),
)
SHOWN_ROWS = 3
TOOL_LIMIT_SECONDS = 300

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One case: its input, what must come out of it, and the facts it adds to the seeds."""

    name: str
    folder: Path
    expected: Row

    @property
    def input(self) -> Path:
        """The Claude Code folder of the case."""
        return self.folder / "input"

    @property
    def time_zone(self) -> str:
        """The zone whose midnights end its days."""
        return str(self.expected.get("time_zone", "UTC"))

    @property
    def seeds(self) -> list[Path]:
        """Rows that are added to the project's seeds of the same names."""
        return sorted((self.folder / "seeds").glob("*.csv"))


@dataclass(frozen=True)
class Comparison:
    """What was compared, and what is not as it must be; none of the latter is a passed case."""

    compared: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    is_partial: bool = False

    def __str__(self) -> str:
        """Say in a line whether all is right, and how much that is of another tool."""
        verdict = "; ".join(self.differences) or "ok"
        if self.is_partial and self.compared:
            return f"{verdict} [compared: {', '.join(self.compared)}]"
        return verdict


def read_cases(names: Sequence[str] = (), folder: Path = CASES) -> list[Case]:
    """Return the named cases, or all of them.

    Raises MindweaveError where the pack is not there, UsageError for a name that it does not have.
    """
    if not folder.is_dir():
        raise MindweaveError(
            f"the conformance pack is not in {folder}: it comes with the repository, "
            "so clone that and run this command in it"
        )
    cases = {path.parent.name: path for path in sorted(folder.glob("*/expected.json"))}
    for name in names:
        if name not in cases:
            near = difflib.get_close_matches(name, cases, n=1)
            meant = f": did you mean {near[0]}?" if near else f"; see {folder}"
            raise UsageError(f"there is no case {name!r}{meant}")
    return [
        Case(name, path.parent, _read_expected(path))
        for name, path in cases.items()
        if not names or name in names
    ]


def compare(expected: Row, found: Row, is_partial: bool = False) -> Comparison:
    """Hold what was found against what is expected; money as decimals, times as times.

    Lists and days are exhaustive where they are expected at all. What another tool does not print
    is not compared where ``is_partial``; from MindWeave everything is due.
    """
    comparison = Comparison(is_partial=is_partial)
    for part in PARTS:
        if part not in expected or (is_partial and part not in found):
            continue
        wanted, there = expected[part], found[part]
        if part == "totals":
            columns = _compared_columns(wanted, [there], is_partial)
            differences = _compare_columns("", wanted, there, columns)
        elif part == "days":
            columns = _compared_columns(_first(wanted.values()), there.values(), is_partial)
            differences = _compare_days(wanted, there, columns)
        else:
            columns = _compared_columns(_first(wanted), there, is_partial)
            differences = _compare_rows(part, wanted, there, columns)
        if columns or part != "totals":
            comparison.compared.append(f"{part} ({', '.join(columns)})" if columns else part)
        comparison.differences.extend(differences)
    if not comparison.compared:
        comparison.differences.append("nothing that was found could be compared")
    return comparison


def judged(cases: Sequence[Case], command: str | None = None) -> Iterator[tuple[str, Comparison]]:
    """Yield each case's name and what became of it: in MindWeave, or in the tool of a command.

    Raises MindweaveError where the models cannot be built, UsageError where the command cannot be
    run; a tool that fails on a case has only not passed that one.
    """
    if command is None:
        with tempfile.TemporaryDirectory(prefix="mindweave-") as home:
            found = run_mindweave(cases, Path(home), {"duckdb": None})["duckdb"]
        for case in cases:
            yield case.name, compare(case.expected, found[case.name])
        return
    for case in cases:
        try:
            yield case.name, compare(case.expected, run_tool(case, command), is_partial=True)
        except UsageError:
            raise
        except MindweaveError as error:
            yield case.name, Comparison(differences=[str(error)])


def run_mindweave(
    cases: Sequence[Case], home: Path, warehouses: Mapping[str, str | None]
) -> dict[str, dict[str, Row]]:
    """Load and build the cases in every warehouse; return by warehouse and case what was found.

    ``warehouses`` maps a name to a URL, or to None for a DuckDB file in ``home``. In each, the
    customer ``conformance`` is made. Raises MindweaveError where the models cannot be built.
    """
    runs = {
        name: _Run(home / name.replace(" ", "_"), url, cases) for name, url in warehouses.items()
    }
    # dbt is one at a time in a process
    with ProcessPoolExecutor(
        min(len(runs), os.cpu_count() or 1), multiprocessing.get_context("spawn")
    ) as at_once:
        return dict(zip(runs, at_once.map(_Run.found, runs.values()), strict=True))


def run_tool(case: Case, command: str) -> Row:
    """Run another tool on a case's input folder, with TZ set; return the JSON that it prints.

    Raises UsageError where there is no such program, MindweaveError where it fails or prints
    something else.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--command cannot be read: {error}") from None
    if not words:
        raise UsageError("--command is empty: name a program")
    try:
        done = subprocess.run(  # noqa: S603  # what the user asked for
            [*words, str(case.input)],
            env=os.environ | {"TZ": case.time_zone},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TOOL_LIMIT_SECONDS,
        )
    except OSError as error:
        raise UsageError(f"{words[0]} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise MindweaveError(f"no answer in {TOOL_LIMIT_SECONDS} seconds") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise MindweaveError(f"the command ended with {done.returncode} and said: {said[:200]}")
    try:
        answer = json.loads(done.stdout, parse_float=Decimal)
        _check_shape(answer)
    except (ValueError, TypeError) as error:
        raise MindweaveError(f"the command printed no answer in JSON: {error}") from None
    return dict(answer)


class _Run:
    """All cases in one warehouse: loaded once, and built again for each time zone."""

    def __init__(self, folder: Path, url: str | None, cases: Sequence[Case]) -> None:
        self._folder = folder
        self._settings = Settings(folder, url or str(folder / "mindweave.duckdb"), "conformance")
        self._cases = cases

    def found(self) -> dict[str, Row]:
        """Return by case what the marts hold of it."""
        # what the user has set for a customer of theirs is not for this one
        for name in [name for name in os.environ if name.startswith(("MINDWEAVE_", "DBT_"))]:
            del os.environ[name]
        self._copy_project()
        self._load()
        # read once: a time zone is asked for only when a model is built
        project = DbtProject(self._settings, project=self._project)
        project.parse()
        by_zone: dict[str, list[Case]] = defaultdict(list)
        for case in self._cases:
            by_zone[case.time_zone].append(case)
        found: dict[str, Row] = {}
        for time_zone, cases in by_zone.items():
            project.build(
                *("--vars", json.dumps({"mindweave__time_zone": time_zone}), "--full-refresh"),
                *("--select", *(f"+{mart}" for mart in MARTS)),
                *("--exclude-resource-type", "test", "unit_test", *(["seed"] if found else [])),
            )
            found |= self._read(cases)
        return found

    def _load(self) -> None:
        roots = [
            {"path": case.input, "user": "conformance", "team": case.name} for case in self._cases
        ]
        overrides = {"roots": roots, "keep_project_name": True}
        load_source(self._settings, "claude_code", overrides)
        make_missing_tables(self._settings)

    def _copy_project(self) -> None:
        """Copy the project, and add the rows that cases bring to its seeds."""
        copy_project(PROJECT_DIR, self._project)
        for case in self._cases:
            for rows in case.seeds:
                _append_to_seed(self._project / "seeds" / rows.name, rows)
        check_price_book(self._project)

    @property
    def _project(self) -> Path:
        return self._folder / "project"

    def _read(self, cases: Iterable[Case]) -> dict[str, Row]:
        calls, tool_calls, daily = (
            self._rows(f"{self._settings.marts_schema}.{mart}") for mart in MARTS
        )
        refused = self._rows(f"{self._settings.raw_schema}.quarantine")
        for row in refused:
            row["file"] = row["location"].rpartition("/")[2]
        return {
            case.name: _found(
                _of_team(calls, case),
                _of_team(tool_calls, case),
                _of_team(daily, case),
                [row for row in refused if row["file"] in _file_names(case)],
            )
            for case in cases
        }

    def _rows(self, relation: str) -> list[Row]:
        warehouse = warehouse_at(self._settings.warehouse_url)
        rows: list[Row] = warehouse.query(f"select * from {relation}").to_pylist()
        return rows


def _read_expected(path: Path) -> Row:
    try:
        expected = json.loads(path.read_text("utf-8"), parse_float=Decimal)
        _check_shape(expected)
    except (ValueError, TypeError) as error:
        raise MindweaveError(f"{path.relative_to(path.parents[1])}: {error}") from None
    return dict(expected)


def _check_shape(answer: Any) -> None:
    """Raise TypeError or ValueError where an answer does not look like one."""
    if not isinstance(answer, dict):
        raise TypeError("it is no object")
    if unknown := answer.keys() - {"time_zone", *PARTS}:
        raise ValueError(f"{min(unknown)!r} is none of {', '.join(PARTS)}")
    for part in ("totals", "days"):
        if not isinstance(answer.get(part, {}), dict):
            raise TypeError(f"{part} is no object")
    for part in LISTS:
        if not isinstance(answer.get(part, []), list):
            raise TypeError(f"{part} is no list")
    for part in ("days", *LISTS):
        rows = answer.get(part, [])
        rows = list(rows.values() if isinstance(rows, dict) else rows)
        if not all(isinstance(row, dict) for row in rows):
            raise TypeError(f"{part} does not hold objects")
        if len({frozenset(row) for row in rows}) > 1:
            raise ValueError(f"the rows of {part} do not all have the same columns")


def _append_to_seed(seed: Path, rows: Path) -> None:
    """Add rows to a seed of the project; columns that they do not name are empty."""
    try:
        with seed.open(newline="", encoding="utf-8") as stream:
            columns = next(csv.reader(stream))
    except (FileNotFoundError, StopIteration):
        raise MindweaveError(f"{rows}: the project has no seed {seed.name}") from None
    with rows.open(newline="", encoding="utf-8") as stream:
        added = list(csv.DictReader(stream))
    with seed.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        try:
            writer.writerows(added)
        except ValueError as error:
            raise MindweaveError(f"{rows}: {error}") from None


def _found(calls: list[Row], tool_calls: list[Row], daily: list[Row], refused: list[Row]) -> Row:
    """Return a case's results in the shape of expected.json."""
    unpriced = [call for call in calls if call["total_cost_usd"] is None]
    totals = {
        "total_calls": len(calls),
        "unpriced_calls": len(unpriced),
        "unpriced_tokens": sum(call[column] for call in unpriced for column in TOKENS),
        "total_tool_calls": len(tool_calls),
        "quarantined_lines": len(refused),
        **{column: _sum(calls, column) for column in SUMMED if not calls or column in calls[0]},
    }
    days = {
        day.isoformat(): {column: _sum(rows, column) for column in OF_A_DAY if column in rows[0]}
        for day, rows in _by_day(daily).items()
    }
    return {
        "totals": totals,
        "days": days,
        "calls": calls,
        "tool_calls": tool_calls,
        "quarantine": refused,
    }


def _by_day(daily: Iterable[Row]) -> dict[date, list[Row]]:
    days: dict[date, list[Row]] = defaultdict(list)
    for row in daily:
        days[row["usage_date"]].append(row)
    return days


def _sum(rows: Iterable[Row], column: str) -> Any:
    """Sum what is known, as SQL does; null where nothing is."""
    known = [row[column] for row in rows if row[column] is not None]
    return sum(known) if known else None


def _of_team(rows: Iterable[Row], case: Case) -> list[Row]:
    return [row for row in rows if row["team_id"] == case.name]


def _file_names(case: Case) -> set[str]:
    return {path.name for path in case.input.rglob("*.jsonl")}


def _first(rows: Iterable[Row]) -> Row:
    return next(iter(rows), {})


def _compared_columns(expected: Row, found: Iterable[Row], is_partial: bool) -> list[str]:
    """Return the columns that are due: of another tool only those that all its rows have."""
    return [column for column in expected if not is_partial or all(column in row for row in found)]


def _compare_columns(where: str, expected: Row, found: Row, columns: Iterable[str]) -> list[str]:
    differences = []
    for column in columns:
        if column not in found:
            differences.append(f"{where}{column} is missing")
        elif _comparable(column, expected[column]) != _comparable(column, found[column]):
            differences.append(
                f"{where}{column} is {_shown(column, found[column])}, "
                f"expected {_shown(column, expected[column])}"
            )
    return differences


def _compare_days(expected: Row, found: Row, columns: Iterable[str]) -> list[str]:
    differences = []
    for day in sorted(expected.keys() | found.keys()):
        if day not in found:
            differences.append(f"{day} is missing")
        elif day not in expected:
            differences.append(f"{day} is a day too many")
        else:
            differences += _compare_columns(f"{day} ", expected[day], found[day], columns)
    return differences


def _compare_rows(
    part: str, expected: list[Row], found: list[Row], columns: Sequence[str]
) -> list[str]:
    """Compare rows as a bag."""
    if missing := [column for column in columns if any(column not in row for row in found)]:
        return [f"{part} has no {column}" for column in missing]
    due, there = _bag(expected, columns), _bag(found, columns)
    lacking = [f"{part}: expected {row}" for row in (due - there).elements()]
    surplus = [f"{part}: found {row}" for row in (there - due).elements()]
    more = len(lacking[SHOWN_ROWS:]) + len(surplus[SHOWN_ROWS:])
    differences = lacking[:SHOWN_ROWS] + surplus[:SHOWN_ROWS]
    return [*differences, f"{part}: {more} more rows differ"] if more else differences


@dataclass(frozen=True)
class _Values:
    """The columns of a row that are compared, as a reader would write them."""

    comparable: tuple[Any, ...]
    shown: str = field(compare=False)

    def __str__(self) -> str:
        return self.shown or "a row"


def _bag(rows: Iterable[Row], columns: Sequence[str]) -> "Counter[_Values]":
    return Counter(
        _Values(
            tuple(_comparable(column, row[column]) for column in columns),
            ", ".join(f"{column} {_shown(column, row[column])}" for column in columns),
        )
        for row in rows
    )


def _comparable(column: str, value: Any) -> Any:
    """Return a value as it compares: an amount as a decimal, however it is written."""
    try:
        if value is not None and column.endswith("_usd"):
            return Decimal(str(value))
        if value is not None and column.endswith("_at"):
            return _utc(value)
    except (InvalidOperation, ValueError):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def _utc(value: Any) -> datetime:
    time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _shown(column: str, value: Any) -> str:
    known = _comparable(column, value)
    if isinstance(known, Decimal) and known.is_finite():
        # never in exponents, and no zeros that a warehouse added
        return f"{known:f}".rstrip("0").rstrip(".") if "." in f"{known:f}" else f"{known:f}"
    return "null" if known is None else str(known)
