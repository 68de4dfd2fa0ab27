"""What a change of the project changes: the marts of two revisions over the same raw data."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.markup import escape

from dlt_pipelines.config import PROJECT_DIR, Settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError
from flows.build import make_ready
from flows.compare import MartComparison, compare_marts, public_marts
from flows.cost_changes import Cost, CostPair, cost_table, print_table, signed_usd
from flows.dbt_project import DbtProject, dbt_folder
from flows.revisions import commit_of, project_at
from flows.summary import usd

# the mart that is told row by row
MART = "cost_by_team"
KEY = ("period", "team_id", "model_id")
COST, LIST_COST = "total_cost_usd", "list_cost_usd"
OTHER_MEASURES = (
    *("total_calls", "unpriced_calls", "input_tokens", "cache_write_5m_tokens"),
    *("cache_write_1h_tokens", "cache_read_tokens", "output_tokens", LIST_COST),
)

TITLES = ("Customer", "Month", "Team", "Model", "Base", "Now", "Difference", "Also")
LONGEST_MARKDOWN_TABLE = 300  # rows; a comment on a pull request holds 65,536 characters

Row = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """A row whose numbers differ, as it was and as it is; a side without the row has None."""

    customer: str
    before: Row | None
    after: Row | None

    @property
    def costs(self) -> CostPair:
        """What it cost and costs; where there is no row, no call costs 0."""
        was, now = (
            Cost(row["total_calls"], row[COST], row["unpriced_calls"])
            if row
            else Cost(usd=Decimal(0))
            for row in (self.before, self.after)
        )
        return CostPair.of(was, now)

    @property
    def cells(self) -> list[str]:
        """The row as a person reads it, one text a title."""
        row = self.after or self.before or {}
        costs = self.costs
        return [
            self.customer,
            f"{row['period']:%Y-%m}",
            row["team_id"],
            row["model_id"],
            usd(costs.before.usd) if self.before else "no row",
            usd(costs.after.usd) if self.after else "no row",
            signed_usd(costs.difference_usd),
            ", ".join(self._others()),
        ]

    def _others(self) -> Iterator[str]:
        """Yield what differs besides the cost, and the list cost only where it is another one."""
        before, after = self.before or {}, self.after or {}
        has_list_price = all(row.get(LIST_COST) == row.get(COST) for row in (before, after))
        for name in OTHER_MEASURES:
            if name == LIST_COST and has_list_price:
                continue
            if before.get(name) != after.get(name):
                yield f"{name} {_plain(before.get(name))} → {_plain(after.get(name))}"


@dataclass(frozen=True)
class MetricDiff:
    """All that differs between two builds of the same rows."""

    base: str
    """What the base is called."""

    changes: Sequence[Change]
    marts: Sequence[MartComparison]
    """The marts that both have, and that differ."""

    only_base: Sequence[str]
    only_now: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Whether both have the same marts, and these the same rows."""
        return not (self.marts or self.only_base or self.only_now)

    @property
    def notes(self) -> list[str]:
        """A line for each mart."""
        return [
            *(f"{mart}: new" for mart in self.only_now),
            *(f"{mart}: gone" for mart in self.only_base),
            *(_described(mart) for mart in self.marts),
        ]

    @property
    def footer(self) -> list[str]:
        """The sum of all changed rows, one text a title."""
        total = sum((change.costs for change in self.changes), CostPair())
        amounts = (usd(total.before.usd), usd(total.after.usd), signed_usd(total.difference_usd))
        return ["Changed", "", "", "", *amounts, ""]


def metric_diff(settings: Settings, revision: str) -> MetricDiff:
    """Build the marts at ``revision`` and as the project is now, and compare them.

    Raises UsageError for an unknown revision, and MindweaveError where there is no git, nothing is
    loaded, or one of the two does not build.
    """
    commit = commit_of(revision)
    make_ready(settings)
    base = replace(settings, schema_prefix="diff_base")
    now = replace(settings, schema_prefix="diff_head")
    with (
        project_at(commit, dbt_folder(base) / "project") as project,
        _built(DbtProject(base, project=project), f"revision {revision}"),
        _built(DbtProject(now), f"the project in {PROJECT_DIR}"),
    ):
        in_base, in_now = (set(public_marts(side)) for side in (base, now))
        marts = compare_marts(base, now, sorted(in_base & in_now))
        differing = [mart for mart in marts if not mart.is_equal]
        has_costs = MART in {mart.mart for mart in differing}
        return MetricDiff(
            base=commit[:8] if commit.startswith(revision) else f"{revision} ({commit[:8]})",
            changes=_changes(base, now) if has_costs else [],
            marts=differing,
            only_base=sorted(in_base - in_now),
            only_now=sorted(in_now - in_base),
        )


@contextmanager
def _built(project: DbtProject, title: str) -> Iterator[None]:
    """Build every mart of a project; its schemas are gone after the block."""
    with _titled(title):
        project.clear_schemas()
    try:
        with _titled(title):
            project.build("--full-refresh", "--exclude-resource-type", "unit_test", "test")
        yield
    finally:
        project.drop_schemas()


@contextmanager
def _titled(title: str) -> Iterator[None]:
    try:
        yield
    except MindweaveError as error:
        raise MindweaveError(f"{title} does not build: {error}") from None


def _changes(base: Settings, now: Settings) -> list[Change]:
    """Return the rows whose measures differ, of those that both sides have."""
    before, after = (
        warehouse_at(side.warehouse_url).query(f"select * from {side.marts_schema}.{MART}")
        for side in (base, now)
    )
    common = set(before.column_names) & set(after.column_names)
    if not {*KEY, COST, "total_calls", "unpriced_calls"} <= common:
        return []  # another mart under the same name: the list of marts says so
    columns = [name for name in (*KEY, COST, *OTHER_MEASURES) if name in common]
    rows_before, rows_after = (
        {tuple(row[name] for name in KEY): row for row in side.select(columns).to_pylist()}
        for side in (before, after)
    )
    return [
        Change(base.customer, rows_before.get(key), rows_after.get(key))
        for key in sorted(rows_before.keys() | rows_after.keys())
        if rows_before.get(key) != rows_after.get(key)
    ]


def print_diff(found: MetricDiff, console: Console) -> None:
    """Print what differs, or that nothing does."""
    if found.is_empty:
        console.print(f"Nothing changes since {escape(found.base)}.")
        return
    if found.changes:
        rows = [change.cells for change in found.changes]
        print_table(cost_table(TITLES, rows, found.footer, texts=(0, 1, 2, 3, 7)), console)
    for note in found.notes:
        console.print(note)


def as_markdown(found: MetricDiff) -> str:
    """Return the same for a comment on a pull request."""
    lines = [f"### Metrics: this change against {found.base}", ""]
    if found.is_empty:
        lines += ["Nothing changes.", ""]
    if found.changes:
        lines += [
            _line(TITLES),
            "|---|---|---|---|--:|--:|--:|---|",
            *(_line(change.cells) for change in found.changes[:LONGEST_MARKDOWN_TABLE]),
            _line(found.footer),
            "",
        ]
        if (left_out := len(found.changes) - LONGEST_MARKDOWN_TABLE) > 0:
            lines += [f"The last line also holds {left_out:,} rows that are not shown.", ""]
    if found.notes:
        lines += [*(f"- {note}" for note in found.notes), ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    escaped = (" ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _plain(value: Decimal | int | None) -> str:
    if value is None:
        return "none"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else f"{value:,}"


def _described(mart: MartComparison) -> str:
    where = f" in {', '.join(mart.columns)}" if mart.columns else ""
    rows = f"; {mart.only_here:,} rows only in base, {mart.only_there:,} only now"
    return f"{mart.mart}: differs{where}{rows if mart.only_here or mart.only_there else ''}"
