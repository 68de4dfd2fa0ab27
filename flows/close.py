"""Close months: write down what is billed in them, so that it never moves again.

What a close writes is one more observation in the raw schema, so the ledger (`cost_ledger`) is the
same after everything but raw was dropped and built again.
"""

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import MissingRelationError, warehouse_at
from dlt_pipelines.errors import MindweaveError, UsageError
from dlt_pipelines.landing import MONTH_CLOSES
from dlt_pipelines.load import finish_rows, load_rows
from flows import steps
from flows.summary import usd

Row = dict[str, Any]

PIPELINE = "closes"
WIDEST = 500  # a table is as wide as its numbers: one that is cut off is worse than a long line
MONTH = re.compile(r"(19[7-9][0-9]|20[0-9][0-9])-(0[1-9]|1[0-2])")

CLOSED_MONTHS = """
select billing_period, min(closed_at) as closed_at
from {staging}.stg_mindweave__month_closes
group by billing_period
order by billing_period
"""
TIME_ZONE = "select min(time_zone) as time_zone from {marts}.data_freshness"
FIRST_MONTH = "select min(billing_period) as month from {marts}.cost_ledger"
OPEN_ROWS = """
select *
from {marts}.cost_ledger
where not is_closed and billing_period <= cast('{month}' as date)
"""
TOTALS = """
select
    billing_period,
    charge_period,
    sum(total_calls) as calls,
    sum(unpriced_calls) as unpriced,
    sum(total_cost_usd) as cost
from {marts}.cost_ledger
group by billing_period, charge_period
"""


@dataclass(frozen=True)
class ClosedMonth:
    """What a month was closed with; ``cost`` is null where nothing of it has a price."""

    month: date
    calls: int
    cost: Decimal | None
    unpriced_calls: int
    corrections: int
    corrected_usd: Decimal | None

    def __str__(self) -> str:
        """Say it in a line."""
        text = f"{self.month:%Y-%m} closed: {self.calls:,} calls, {usd(self.cost)}"
        if self.corrections:
            plural = "s" if self.corrections > 1 else ""
            text += (
                f", {self.corrections:,} correction{plural} of earlier months in it "
                f"({signed_usd(self.corrected_usd)})"
            )
        if self.unpriced_calls:
            calls = "call" if self.unpriced_calls == 1 else "calls"
            text += f"; not in it: {self.unpriced_calls:,} {calls} without a price"
        return text


def read_month(text: str) -> date:
    """Return the first day of a month written as 2026-10; raise UsageError for anything else."""
    if not MONTH.fullmatch(text):
        raise UsageError(f"{text!r} is not a month: write it as 2026-10")
    return date.fromisoformat(f"{text}-01")


def close_months(settings: Settings, month: date) -> list[ClosedMonth]:
    """Close a month, and the open ones before it, in one package: all of them or none.

    The customer must be locked. Builds before, so that all that is loaded is in, and afterwards.
    Raises UsageError for a month that is closed, not over, or before all usage.
    """
    finish_rows(settings, PIPELINE)
    if steps.needs_build(settings):
        steps.build_models(settings)
    closed_at = {row["billing_period"]: row["closed_at"] for row in _rows(settings, CLOSED_MONTHS)}
    first = _first_open_month(settings, closed_at)
    if month in closed_at:
        raise UsageError(
            f"{month:%Y-%m} was closed on {closed_at[month]:%Y-%m-%d}: what changes is posted in "
            "the first open month; `mindweave close` shows both numbers"
        )
    if first is None:
        raise UsageError(
            f"customer {settings.customer} has no usage yet: there is nothing to close"
        )
    if month < first:
        raise UsageError(
            f"{month:%Y-%m} is before the first month that can be closed, which is {first:%Y-%m}"
        )
    time_zone = _rows(settings, TIME_ZONE)[0]["time_zone"]
    if not is_over(month, time_zone, datetime.now(UTC)):
        raise UsageError(
            f"{month:%Y-%m} is not over in {time_zone}: close it from {_next(month)} on"
        )
    closed = freeze(settings, first, month)
    steps.build_models(settings)
    return closed


def freeze(settings: Settings, first: date, last: date) -> list[ClosedMonth]:
    """Write down what the ledger says now of the months from ``first`` to ``last``."""
    rows = _rows(settings, OPEN_ROWS, month=last)
    months = list(_months(first, last))
    load_rows(settings, PIPELINE, MONTH_CLOSES, _frozen(rows, months))
    return [
        _summed(each, [row for row in rows if row["billing_period"] == each]) for each in months
    ]


def is_over(month: date, time_zone: str, now: datetime) -> bool:
    """Tell whether a month's last day has ended in a time zone."""
    return now.astimezone(ZoneInfo(time_zone)).date() >= _next(month)


def print_ledger(settings: Settings, console: Console) -> None:
    """Print for every month what it was closed with, what is known now, and the difference."""
    try:
        closed_at = {
            row["billing_period"]: row["closed_at"] for row in _rows(settings, CLOSED_MONTHS)
        }
        totals = _rows(settings, TOTALS)
    except MissingRelationError:
        raise MindweaveError(
            f"nothing is built for customer {settings.customer}: run `mindweave build` first"
        ) from None
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("Month", no_wrap=True)
    table.add_column("Closed on", no_wrap=True)
    for name in ("Closed\n(USD)", "Of earlier\nmonths", "Current\n(USD)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Corrections since", no_wrap=True)
    months = closed_at.keys() | {
        row[name] for row in totals for name in ("billing_period", "charge_period")
    }
    for month in sorted(months):
        billed = [row for row in totals if row["billing_period"] == month]
        used = [row for row in totals if row["charge_period"] == month]
        earlier = [row for row in billed if row["charge_period"] < month]
        later = [row for row in used if row["billing_period"] > month]
        is_closed = month in closed_at
        table.add_row(
            f"{month:%Y-%m}",
            f"{closed_at[month]:%Y-%m-%d}" if is_closed else "open",
            usd(_cost(billed) if billed else Decimal(0)) if is_closed else "",
            signed_usd(_cost(earlier)) if earlier else "",
            usd(_cost(used) if used else Decimal(0)),
            "\n".join(
                f"{signed_usd(row['cost'])} in {row['billing_period']:%Y-%m}"
                for row in sorted(later, key=lambda row: row["billing_period"])
            ),
        )
    console.print(table, width=WIDEST)
    if unpriced := sum(int(row["unpriced"]) for row in totals):
        console.print(f"Unpriced: {unpriced:,} calls, in no total")


def signed_usd(amount: Decimal | None) -> str:
    """Return a difference as a person reads it: in cents, or to its first digits where smaller."""
    if amount is None:
        return "unpriced"
    sign = "-" if amount < 0 else "+"
    size = abs(amount)
    return f"{sign}${size:,.6f}" if 0 < size < Decimal("0.01") else f"{sign}${size:,.2f}"


def _rows(settings: Settings, sql: str, month: date | None = None) -> list[Row]:
    query = sql.format(marts=settings.marts_schema, staging=settings.staging_schema, month=month)
    rows: list[Row] = warehouse_at(settings.warehouse_url).query(query).to_pylist()
    return rows


def _first_open_month(settings: Settings, closed: Iterable[date]) -> date | None:
    """Return the month after the last closed one, else the first with usage; None without any."""
    last: date | None = max(closed, default=None)
    if last:
        return _next(last)
    first: date | None = _rows(settings, FIRST_MONTH)[0]["month"]
    return first


def _frozen(rows: Sequence[Row], months: Sequence[date]) -> list[Row]:
    """Return what goes to the raw schema; a month without anything gets a row that says so."""
    of_the_close = {
        "load_id": uuid.uuid4().hex,
        "closed_at": datetime.now(UTC).replace(tzinfo=None),
    }
    names = [name for name in MONTH_CLOSES.columns if name not in of_the_close]
    frozen = [{name: row[name] for name in names} for row in rows]
    with_rows = {row["billing_period"] for row in rows}
    frozen += [
        {name: month if name == "billing_period" else None for name in names}
        for month in months
        if month not in with_rows
    ]
    return [{**_with_dates_as_text(row), **of_the_close} for row in frozen]


def _with_dates_as_text(row: Row) -> Row:
    return {
        name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()
    }


def _summed(month: date, rows: Sequence[Row]) -> ClosedMonth:
    corrections = [row for row in rows if row["charge_class"]]
    return ClosedMonth(
        month=month,
        calls=sum(row["total_calls"] for row in rows),
        cost=_cost(rows, "total_cost_usd") if rows else Decimal(0),
        unpriced_calls=sum(row["unpriced_calls"] for row in rows),
        corrections=len(corrections),
        corrected_usd=_cost(corrections, "total_cost_usd"),
    )


def _cost(rows: Sequence[Row], name: str = "cost") -> Decimal | None:
    """Sum the dollars of some rows; null where none of them has any."""
    amounts = [row[name] for row in rows if row[name] is not None]
    return sum(amounts, Decimal(0)) if amounts else None


def _months(first: date, last: date) -> Iterable[date]:
    while first <= last:
        yield first
        first = _next(first)


def _next(month: date) -> date:
    """Return the first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
