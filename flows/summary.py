"""The first numbers, in the terminal: what it cost, and what the total leaves out."""

from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import warehouse_at


def print_summary(settings: Settings, console: Console) -> None:
    """Print cost in total, by model and by team, and what is unpriced or quarantined."""
    warehouse = warehouse_at(settings.warehouse_url)

    def rows(sql: str) -> list[dict[str, Any]]:
        table = warehouse.query(sql.format(marts=settings.marts_schema))
        return list(table.to_pylist())

    total = rows(
        """
        select
            sum(total_cost_usd) as cost, coalesce(sum(total_calls), 0) as calls,
            coalesce(sum(unpriced_calls), 0) as unpriced,
            min(usage_date) as first_day, max(usage_date) as last_day
        from {marts}.cost_by_team_daily
        """
    )[0]
    quarantined = rows(
        "select coalesce(sum(rows_quarantined), 0) as lines from {marts}.load_report"
    )[0]["lines"]
    if not total["calls"]:
        console.print(f"No model call yet for customer {settings.customer}.")
    else:
        console.print(
            f"\n[bold]{usd(total['cost'])}[/bold] for {int(total['calls']):,} model calls, "
            f"{total['first_day']} to {total['last_day']}"
        )
        for title, column in (("Model", "model_id"), ("Team", "team_id")):
            console.print(_breakdown(title, rows(_BREAKDOWN.replace("{column}", column))))
    if total["unpriced"]:
        models = rows("select model_id from {marts}.unpriced_usage order by total_calls desc")
        names = ", ".join(row["model_id"] for row in models)
        console.print(f"Unpriced: {int(total['unpriced']):,} calls ({names}), not in the total")
    console.print(f"Quarantined: {int(quarantined):,} lines or files since the first load")


_BREAKDOWN = """
select
    {column} as name,
    sum(total_calls) as calls,
    sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens,
    sum(cache_write_5m_tokens + cache_write_1h_tokens) as cache_write_tokens,
    sum(cache_read_tokens) as cache_read_tokens,
    sum(total_cost_usd) as cost
from {marts}.cost_by_team_daily
group by {column}
order by cost desc nulls last, name asc
"""


def _breakdown(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(title, no_wrap=True)
    for name in ("Calls", "Input", "Output", "Cache\nwrite", "Cache\nread", "Cost (USD)"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        counts = [
            row[name]
            for name in (
                "calls",
                "input_tokens",
                "output_tokens",
                "cache_write_tokens",
                "cache_read_tokens",
            )
        ]
        table.add_row(row["name"], *(_short(int(count)) for count in counts), usd(row["cost"]))
    return table


def usd(amount: Decimal | None) -> str:
    """Return an amount as a person reads it."""
    return "unpriced" if amount is None else f"${amount:,.2f}"


def _short(count: int) -> str:
    """Return a count as a person reads it: 9,999, 12.3k, 4.5M, 6.7G."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= 10_000 and count >= size:
            return f"{count / size:,.1f}{unit}"
    return f"{count:,}"
