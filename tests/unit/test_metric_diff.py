"""How a metric diff is told."""

from datetime import date
from decimal import Decimal
from typing import Any

from flows.compare import MartComparison
from flows.metric_diff import LONGEST_MARKDOWN_TABLE, Change, MetricDiff, as_markdown

ROW: dict[str, Any] = {
    "period": date(2026, 11, 1),
    "team_id": "search",
    "model_id": "big",
    "total_cost_usd": Decimal("1.5"),
    "total_calls": 10,
    "unpriced_calls": 0,
    "output_tokens": 1000,
}
MART = MartComparison("cost_by_team", 1, 1, 1, ["total_cost_usd"])


def change(**numbers: Any) -> Change:
    return Change("local", ROW, ROW | numbers)


def diff(*changes: Change) -> MetricDiff:
    return MetricDiff("main (1a2b3c4d)", changes, [MART] if changes else [], [], [])


def difference(changed: Change) -> str:
    return changed.cells[6]


def test_a_difference_has_all_the_digits_it_needs():
    assert difference(change(total_cost_usd=Decimal("1"))) == "-$0.50"
    assert difference(change(total_cost_usd=Decimal("1.500000000000001"))) == "+$0.000000000000001"
    assert difference(change(output_tokens=7)) == "none"


def test_what_has_a_price_on_one_side_only_has_no_difference():
    assert difference(change(total_cost_usd=None, unpriced_calls=10)) == "unknown"
    assert difference(change(total_cost_usd=Decimal("0.5"), unpriced_calls=3)) == "unknown"
    found = diff(change(total_cost_usd=None, unpriced_calls=10), change())
    assert found.footer[4:7] == ["$3.00", "$1.50", "unknown"]

    # as many calls, but not the same ones
    gone, back = change(unpriced_calls=3), Change("local", ROW | {"unpriced_calls": 3}, ROW)
    assert diff(gone, back).footer[6] == "unknown"


def test_a_row_that_only_one_side_has_costs_0_on_the_other():
    assert Change("local", None, ROW).cells[4:7] == ["no row", "$1.50", "+$1.50"]
    assert Change("local", ROW, None).cells[4:7] == ["$1.50", "no row", "-$1.50"]
    unpriced = ROW | {"total_cost_usd": None, "unpriced_calls": 10}
    assert difference(Change("local", None, unpriced)) == "unknown"


def test_what_differs_besides_the_cost_is_named():
    changed = change(total_calls=1200, output_tokens=None)
    assert changed.cells[7] == "total_calls 10 → 1,200, output_tokens 1,000 → none"


def test_no_name_of_a_team_breaks_the_table():
    changed = change(team_id="a|b\n<img>")
    line = next(line for line in as_markdown(diff(changed)).splitlines() if "local" in line)
    assert line.startswith("| local | 2026-11 | a\\|b &lt;img> | big |")


def test_a_long_diff_fits_into_a_comment_and_its_last_line_holds_all():
    many = [change(total_cost_usd=Decimal("2.5"))] * (LONGEST_MARKDOWN_TABLE + 20)
    text = as_markdown(diff(*many))
    assert text.count("| local |") == LONGEST_MARKDOWN_TABLE
    assert "| Changed |  |  |  | $480.00 | $800.00 | +$320.00 |  |" in text
    assert "20 rows that are not shown" in text
    assert len(text) < 65_536


def test_nothing_is_said_in_a_line():
    assert diff().is_empty
    assert as_markdown(diff()).endswith("\n\nNothing changes.\n")
