"""Expectations that the suites of several sources have."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from great_expectations import expectations as gxe
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

# no model takes or gives as much in one call
MOST_TOKENS = 10_000_000
OLDEST = datetime(2020, 1, 1)
TOKEN_COLUMNS = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
)


class ExpectEveryRowToBeAccountedFor(gxe.UnexpectedRowsExpectation):
    """Find loads that lost rows: each one read is loaded, ignored or quarantined."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where rows_read != rows_loaded + rows_ignored + rows_quarantined
    """


class ExpectFewRowsInQuarantine(gxe.UnexpectedRowsExpectation):
    """Find loads that could not use one row in twenty, or more."""

    unexpected_rows_query: str = """
        select load_id from {batch} where rows_quarantined * 20 >= rows_read
    """


class ExpectNoRowInQuarantine(gxe.UnexpectedRowsExpectation):
    """Find loads that could not use a record: an API seldom tells a wrong one."""

    unexpected_rows_query: str = """
        select load_id from {batch} where rows_quarantined > 0
    """


def not_null(column: str, severity: FailureSeverity = FailureSeverity.CRITICAL) -> Expectation:
    """Expect a value in every row."""
    return gxe.ExpectColumnValuesToNotBeNull(column=column, severity=severity)


def within_time(column: str, oldest: datetime = OLDEST, days_ahead: int = 1) -> Expectation:
    """Expect times from ``oldest`` to ``days_ahead`` from now, as clocks differ."""
    latest = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=days_ahead)
    return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=oldest, max_value=latest)


def counts_within_reason(columns: Iterable[str], most: int = MOST_TOKENS) -> list[Expectation]:
    """Expect counts from 0 to ``most`` in each of the columns."""
    return [
        gxe.ExpectColumnValuesToBeBetween(column=column, min_value=0, max_value=most)
        for column in columns
    ]


def fingerprints_of_content() -> list[Expectation]:
    """Return what is expected of what stands for prompts and tool inputs."""
    return [
        not_null("dedup_hash"),
        gxe.ExpectColumnValuesToBeInSet(column="content_kind", value_set=["prompt", "tool_input"]),
        gxe.ExpectColumnValuesToBeBetween(column="shingle_count", min_value=0),
    ]
