"""What closing a month decides by itself."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from dlt_pipelines.errors import UsageError
from flows.close import ClosedMonth, is_over, read_month, signed_usd

OCTOBER = date(2026, 10, 1)


def test_a_month_is_written_as_a_year_and_two_digits() -> None:
    assert read_month("2026-10") == OCTOBER


@pytest.mark.parametrize(
    "text",
    ["2026-13", "2026-00", "2026-1", "2026-10-01", "oct", "", "0001-01", "२०२६-१०", "2026-10\n"],
)
def test_what_is_no_month_is_wrong_use(text: str) -> None:
    with pytest.raises(UsageError, match="is not a month: write it as 2026-10"):
        read_month(text)


@pytest.mark.parametrize(
    ("time_zone", "expected"),
    [("UTC", False), ("Europe/Berlin", True), ("America/Los_Angeles", False)],
)
def test_a_month_is_over_by_the_customers_clock(time_zone: str, expected: bool) -> None:
    # half past midnight on 1 November in Berlin, half past eleven on 31 October in UTC
    now = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)

    assert is_over(OCTOBER, time_zone, now) is expected
    assert is_over(date(2026, 9, 1), time_zone, now)
    assert not is_over(date(2026, 12, 1), time_zone, now)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("1234.5"), "+$1,234.50"),
        (Decimal("-0.056"), "-$0.06"),
        (Decimal("-0.000135"), "-$0.000135"),
        (Decimal(0), "+$0.00"),
        (None, "unpriced"),
    ],
)
def test_a_difference_shows_its_sign_and_what_is_less_than_a_cent(
    amount: Decimal | None, text: str
) -> None:
    assert signed_usd(amount) == text


def test_a_closed_month_says_what_is_in_it() -> None:
    plain = ClosedMonth(OCTOBER, 1234, Decimal("56.78"), 0, 0, None)
    full = ClosedMonth(OCTOBER, 1234, None, 3, 2, Decimal("-0.5"))

    assert str(plain) == "2026-10 closed: 1,234 calls, $56.78"
    assert str(full) == (
        "2026-10 closed: 1,234 calls, unpriced, 2 corrections of earlier months in it (-$0.50); "
        "not in it: 3 calls without a price"
    )
