"""The price book in seeds/, as the demo's vendors bill by it."""

import csv
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path

from dlt_pipelines.config import PROJECT_DIR
from dlt_pipelines.demo.company import KINDS, Metered

Row = Mapping[str, str]

# what the vendor bills for the model that has no price in the book
BEYOND_THE_BOOK = {
    "input": Decimal(10),
    "cache_write_5m": Decimal("12.5"),
    "cache_write_1h": Decimal(20),
    "cache_read": Decimal("0.25"),
    "output": Decimal(50),
}


def web_search_usd(day: dt.date) -> Decimal:
    """Return the list price of one web search."""
    rows = [row for row in _seed("server_tool_prices") if row["tool"] == "web_search"]
    return Decimal(_known_last(rows, day)["usd_per_1k"]) / 1000


def list_usd(call: Metered) -> dict[str, Decimal]:
    """Return what each kind of the call's tokens costs at list prices."""
    day = call.started_at.date()
    bands = _bands(call.model, day)
    above = max(start for start in bands if call.prompt_tokens > start)
    multiplier = Decimal(1)
    if call.speed == "fast":
        multiplier *= _multiplier("fast", call.model, day)
    if call.geo == "us":
        multiplier *= _multiplier("us_inference", call.model, day)
    return {kind: call.tokens[kind] * bands[above][kind] * multiplier / 10**6 for kind in KINDS}


@cache
def _bands(model: str, day: dt.date) -> Mapping[int, Mapping[str, Decimal]]:
    """Return the model's prices a million tokens, by how large a prompt they begin above."""
    starts = {row["price_band"]: int(row["prompt_tokens_above"]) for row in _seed("price_bands")}
    rows = [row for row in _seed("model_prices") if row["model_id"] == model]
    bands = {}
    for band in {row["price_band"] for row in rows if _is_in_force(row, day)}:
        row = _known_last([row for row in rows if row["price_band"] == band], day)
        bands[starts[band]] = (
            # a kind without a price is one that the vendor does not count
            {kind: Decimal(row[f"{kind}_usd_per_mtok"] or 0) for kind in KINDS}
            if row["input_usd_per_mtok"]
            else BEYOND_THE_BOOK
        )
    return bands


@cache
def _multiplier(modifier: str, model: str, day: dt.date) -> Decimal:
    """Return what a modifier does to the model's prices; a row of its own wins over one of all."""
    rows = [row for row in _seed("price_modifiers") if row["modifier"] == modifier]
    own = [row for row in rows if row["model_id"] == model and _is_in_force(row, day)]
    of_all = [row for row in rows if not row["model_id"] and row["vendor"] == "anthropic"]
    return Decimal(_known_last(own or of_all, day)["multiplier"])


def _known_last(rows: list[Row], day: dt.date) -> Row:
    in_force = [row for row in rows if _is_in_force(row, day)]
    return max(in_force, key=lambda row: row["known_from_date"])


def _is_in_force(row: Row, day: dt.date) -> bool:
    # days sort as texts, and an empty one is open
    return row["valid_from_date"] <= day.isoformat() < (row["valid_to_date"] or "9999")


@cache
def _seed(name: str) -> list[Row]:
    with Path(PROJECT_DIR, "seeds", f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
