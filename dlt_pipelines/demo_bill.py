"""The vendor's usage report and bill of the demo's made-up company, as two CSV files.

usage.csv  a day × workspace × model × speed × geography: tokens of each kind, searches, requests
costs.csv  a day × workspace × model × geography × kind: at list prices, and net of the contract

As on a real one: usage of a workspace that no source sees, code execution that no usage report
counts, a model whose price is not in the book, and a newest day that is not whole yet.
"""

import csv
import datetime as dt
import io
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from dlt_pipelines.demo_calls import KINDS, Metered
from dlt_pipelines.demo_prices import list_usd, web_search_usd

CONTRACT = Decimal("0.95")  # of the list price of tokens
LATE_HOURS = 4
SETTLE_HOURS = 48  # after a day's beginning it is refreshed no more
SUPPORT_WORKSPACE = "wrkspc_support_bot"
SUPPORT_MODEL = "claude-sonnet-4-5-20250929"
CODE_EXECUTION_EVERY_DAYS = 7
CODE_EXECUTION_HOURS = 3
CODE_EXECUTION_USD = Decimal("0.05")  # an hour

USAGE_COLUMNS = (
    *("date", "workspace", "model", "speed", "inference_geo"),
    *(f"{kind}_tokens" for kind in KINDS),
    *("web_searches", "requests", "refreshed_at"),
)
COSTS_COLUMNS = (
    *("date", "workspace", "model", "inference_geo", "cost_type", "token_type"),
    *("quantity", "unit", "list_usd", "net_usd", "refreshed_at"),
)


def files(calls: Iterable[Metered], until: dt.date, seed: int) -> Iterator[tuple[str, str]]:
    """Yield the name and content of each file, as told at the beginning of ``until``."""
    refreshed_at = dt.datetime.combine(until, dt.time(), dt.UTC)
    counted_to = refreshed_at - dt.timedelta(hours=LATE_HOURS)
    seen = [call for call in calls if call.started_at < counted_to]
    days = sorted({call.started_at.date() for call in seen})
    for day in days:
        seen += [call for call in support_bot(seed, day) if call.started_at < counted_to]
    yield "usage.csv", _text(USAGE_COLUMNS, _usage(seen, refreshed_at))
    lines = _costs(seen, refreshed_at) + _code_execution(days, refreshed_at)
    yield "costs.csv", _text(COSTS_COLUMNS, lines)


def support_bot(seed: int, day: dt.date) -> Iterator[Metered]:
    """Yield the calls of a product that calls the API itself: the bill has them, and no source."""
    rng = random.Random(f"{seed}/support bot/{day}")
    for _ in range(rng.randint(25, 50)):
        second = rng.randint(6 * 3600, 22 * 3600)
        tokens = dict.fromkeys(KINDS, 0)
        tokens |= {"input": rng.randint(400, 2500), "output": rng.randint(80, 600)}
        yield Metered(
            model=SUPPORT_MODEL,
            started_at=dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(seconds=second),
            tokens=tokens,
            workspace=SUPPORT_WORKSPACE,
        )


def _usage(calls: Iterable[Metered], refreshed_at: dt.datetime) -> list[Sequence[Any]]:
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * (len(KINDS) + 2))
    for call in calls:
        group = (call.started_at.date(), call.workspace, call.model, call.speed, call.geo)
        counts = [*(call.tokens[kind] for kind in KINDS), call.web_searches, 1]
        sums[group] = [known + more for known, more in zip(sums[group], counts, strict=True)]
    return [
        (*group, *counts, _refreshed(group[0], refreshed_at))
        for group, counts in sorted(sums.items())
    ]


def _costs(calls: Iterable[Metered], refreshed_at: dt.datetime) -> list[Sequence[Any]]:
    quantities: dict[tuple[Any, ...], int] = defaultdict(int)
    amounts: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for call in calls:
        day = call.started_at.date()
        for kind, usd in list_usd(call).items():
            line = (day, call.workspace, call.model, call.geo, "tokens", kind)
            quantities[line] += call.tokens[kind]
            amounts[line] += usd
        search = (day, call.workspace, "", "", "web_search", "")
        quantities[search] += call.web_searches
        amounts[search] += call.web_searches * web_search_usd(day)
    return [
        (
            *(*line, quantities[line], "tokens" if line[4] == "tokens" else "requests"),
            *(_plain(usd), _plain(usd * CONTRACT if line[4] == "tokens" else usd)),
            _refreshed(line[0], refreshed_at),
        )
        for line, usd in sorted(amounts.items())
        if quantities[line]
    ]


def _code_execution(days: Iterable[dt.date], refreshed_at: dt.datetime) -> list[Sequence[Any]]:
    usd = _plain(CODE_EXECUTION_HOURS * CODE_EXECUTION_USD)
    return [
        (
            *(day, SUPPORT_WORKSPACE, "", "", "code_execution", ""),
            *(CODE_EXECUTION_HOURS, "hours", usd, usd, _refreshed(day, refreshed_at)),
        )
        for day in days
        if day.toordinal() % CODE_EXECUTION_EVERY_DAYS == 0
    ]


def _refreshed(day: dt.date, refreshed_at: dt.datetime) -> str:
    whole_at = dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(hours=SETTLE_HOURS)
    return f"{min(refreshed_at, whole_at):%Y-%m-%dT%H:%M:%SZ}"


def _plain(usd: Decimal) -> str:
    return format(usd.normalize(), "f")


def _text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
