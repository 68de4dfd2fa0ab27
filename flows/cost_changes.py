"""What a scenario costs beside what the customer's marts say, by month, team and model."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import warehouse_at
from flows.summary import usd

COSTS = """
select
    cast(date_trunc('month', usage_date) as date) as period,
    team_id,
    model_id,
    sum(total_calls) as calls,
    sum(total_cost_usd) as cost_usd,
    sum(unpriced_calls) as unpriced
from {marts}.cost_by_team_daily
where {days}
group by 1, 2, 3
"""

MEASURES = (
    *("total_calls", "unpriced_calls", "scenario_unpriced_calls"),
    *("total_cost_usd", "scenario_cost_usd", "difference_usd"),
)

WIDEST = 500  # characters


@dataclass(frozen=True)
class Cost:
    """What some calls cost; null where none of them has a price."""

    calls: int = 0
    usd: Decimal | None = None
    unpriced: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        """Sum what has a price, and count what has none."""
        amounts = [amount for amount in (self.usd, other.usd) if amount is not None]
        return Cost(
            self.calls + other.calls,
            sum(amounts, Decimal(0)) if amounts else None,
            self.unpriced + other.unpriced,
        )


@dataclass(frozen=True)
class CostPair:
    """What the same calls cost on two sides."""

    before: Cost = Cost()
    after: Cost = Cost()
    is_comparable: bool = True
    """Whether both sides have a price for the same calls."""

    @classmethod
    def of(cls, before: Cost, after: Cost) -> "CostPair":
        """Return the costs of one group of calls, the finest there is."""
        return cls(before, after, before.unpriced == after.unpriced)

    def __add__(self, other: "CostPair") -> "CostPair":
        """Sum each side."""
        return CostPair(
            self.before + other.before,
            self.after + other.after,
            self.is_comparable and other.is_comparable,
        )

    @property
    def difference_usd(self) -> Decimal | None:
        """What is more after; null where one side lacks a price: what is not known is not 0."""
        if self.before.usd is None or self.after.usd is None or not self.is_comparable:
            return None
        return self.after.usd - self.before.usd


@dataclass(frozen=True)
class CostChange:
    """Calls of one month, team and model at their present cost and at another."""

    period: date
    team_id: str
    model_id: str
    costs: CostPair


def cost_changes(
    settings: Settings, scenario: Settings, since: date | None = None, until: date | None = None
) -> list[CostChange]:
    """Return a row per month, team and model, of the days from ``since`` until before ``until``."""
    now, then = (_costs(side, since, until) for side in (settings, scenario))
    return [
        CostChange(*key, CostPair.of(now.get(key, Cost()), then.get(key, Cost())))
        for key in sorted(now.keys() | then.keys())
    ]


def _costs(
    settings: Settings, since: date | None, until: date | None
) -> dict[tuple[date, str, str], Cost]:
    days = [f"usage_date >= '{since}'"] if since else []
    days += [f"usage_date < '{until}'"] if until else []
    rows = warehouse_at(settings.warehouse_url).query(
        COSTS.format(marts=settings.marts_schema, days=" and ".join(days) or "1 = 1")
    )
    return {
        (row["period"], row["team_id"], row["model_id"]): Cost(
            int(row["calls"]), row["cost_usd"], int(row["unpriced"])
        )
        for row in rows.to_pylist()
    }


def print_changes(
    changes: Sequence[CostChange], console: Console, scenario: str, by_month: bool
) -> None:
    """Print the changes by team and model, and by month first where that is asked for."""
    if not changes:
        console.print("No model call in this period.")
        return
    if by_month:
        months = _summed(changes, lambda row: (f"{row.period:%Y-%m}",))
        print_table(_table(["Month"], scenario, months), console)
    by_team = _summed(changes, lambda row: (row.team_id, row.model_id))
    print_table(_table(["Team", "Model"], scenario, by_team), console)
    total = sum(by_team.values(), CostPair())
    if total.before.unpriced or total.after.unpriced:
        console.print(
            f"Unpriced: {total.before.unpriced:,} calls now, {total.after.unpriced:,} "
            f"{scenario.lower()}: they are in no amount, and a difference is unknown where only "
            "one side has a price"
        )


def as_csv(changes: Sequence[CostChange], by_month: bool) -> str:
    """Return the changes as CSV, every amount with all its digits and a null as nothing."""
    keys = ["period", "team_id", "model_id"] if by_month else ["team_id", "model_id"]
    summed = _summed(changes, lambda row: tuple(str(getattr(row, key)) for key in keys))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*keys, *MEASURES])
    for key, costs in summed.items():
        now, then = costs.before, costs.after
        amounts = (now.usd, then.usd, costs.difference_usd)
        cells = ("" if amount is None else f"{amount:f}" for amount in amounts)
        writer.writerow([*key, now.calls, now.unpriced, then.unpriced, *cells])
    return text.getvalue()


def _summed(
    changes: Iterable[CostChange], key: Callable[[CostChange], tuple[str, ...]]
) -> dict[tuple[str, ...], CostPair]:
    sums: dict[tuple[str, ...], CostPair] = defaultdict(CostPair)
    for row in changes:
        sums[key(row)] += row.costs
    return dict(sorted(sums.items()))


def cost_table(
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    footer: Sequence[str],
    texts: Container[int],
) -> Table:
    """Return a table; the columns whose numbers are in ``texts`` are no amounts."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_footer=True)
    for number, (title, total) in enumerate(zip(titles, footer, strict=True)):
        table.add_column(title, total, justify="left" if number in texts else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def print_table(table: Table, console: Console) -> None:
    """Print a table as wide as its numbers: one that is cut off is worse than a long line."""
    table.width = console.measure(table, options=console.options.update(width=WIDEST)).maximum
    console.print(table)


def _table(keys: Sequence[str], scenario: str, rows: dict[tuple[str, ...], CostPair]) -> Table:
    return cost_table(
        (*keys, "Calls", "Unpriced", "Now", scenario, "Difference"),
        [(*key, *_cells(costs)) for key, costs in rows.items()],
        ("Total", *("" for _ in keys[1:]), *_cells(sum(rows.values(), CostPair()))),
        texts=range(len(keys)),
    )


def _cells(costs: CostPair) -> tuple[str, ...]:
    now, then = costs.before, costs.after
    unpriced = f"{now.unpriced:,}"
    if then.unpriced != now.unpriced:
        unpriced += f" → {then.unpriced:,}"
    return (
        f"{now.calls:,}",
        unpriced,
        usd(now.usd),
        usd(then.usd),
        signed_usd(costs.difference_usd),
    )


def signed_usd(amount: Decimal | None) -> str:
    """Return a difference as a person reads it, with the digits that a small one needs."""
    if amount is None:
        return "unknown"
    if not amount:
        return "none"
    digits = 2 if abs(amount) >= Decimal("0.01") else 15
    text = f"{abs(amount):,.{digits}f}"
    return f"{'+' if amount > 0 else '-'}${text.rstrip('0') if digits > 2 else text}"
