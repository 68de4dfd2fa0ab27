"""What is expected of OpenAI's organization API once it is rows.

critical  a figure may be wrong
warning   something the models do not know, or know less surely: look at it
info      worth knowing, often right
"""

from collections.abc import Mapping, Sequence

from great_expectations import expectations as gxe
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

from dlt_pipelines.expectations._shared import (
    ExpectEveryRowToBeAccountedFor,
    ExpectNoRowInQuarantine,
    not_null,
    within_time,
)

# of one group of one bucket
MOST_TOKENS = 10**13
MOST_DOLLARS = 10_000_000
KNOWN_TIERS = ["default", "standard", "batch", "priority", "flex", "scale", "auto"]
KNOWN_UNITS = [
    *("tokens", "1000_tokens", "duration_seconds", "duration_minutes", "duration_hours"),
    *("gibibyte_hours", "images", "characters"),
]
TABLES_OF_ENTITIES = {
    "openai_admin_projects": "project_id",
    "openai_admin_users": "user_id",
    "openai_admin_project_users": "user_id",
    "openai_admin_service_accounts": "service_account_id",
    "openai_admin_api_keys": "api_key_id",
}


class ExpectInputTokensToHoldTheirParts(gxe.UnexpectedRowsExpectation):
    """Find groups whose cached and written tokens exceed all input: a kind would be negative."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            coalesce(input_cached_tokens, 0) + coalesce(input_cache_write_tokens, 0)
            > coalesce(input_tokens, 0)
    """


class ExpectUncachedTokensToBeTheRest(gxe.UnexpectedRowsExpectation):
    """Find groups whose told uncached tokens are not input less cache."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            input_uncached_tokens is not null
            and input_uncached_tokens + coalesce(input_cached_tokens, 0)
            + coalesce(input_cache_write_tokens, 0) != coalesce(input_tokens, 0)
    """


class ExpectDaysToHaveOneBucketKey(gxe.UnexpectedRowsExpectation):
    """Find buckets that are not wholly in the day of their key."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            right(bucket_key, 10) != cast(cast(bucket_start_at as date) as varchar)
            or bucket_end_at > cast(bucket_start_at as date) + interval '1' day
    """


def suites() -> Mapping[str, Sequence[Expectation]]:
    """Return the expectations by raw table."""
    warning, info = FailureSeverity.WARNING, FailureSeverity.INFO

    def between(column: str, most: int, least: int = 0) -> Expectation:
        return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=least, max_value=most)

    # a field that we do not know may be a price of its own
    nothing_unknown = gxe.ExpectColumnValuesToBeNull(column="unknown_fields", severity=warning)

    return {
        "openai_admin_usage": [
            not_null("report"),
            not_null("bucket_key"),
            within_time("bucket_start_at", days_ahead=2),
            within_time("bucket_end_at", days_ahead=2),
            ExpectDaysToHaveOneBucketKey(),
            *(
                between(column, MOST_TOKENS)
                for column in (
                    *("input_tokens", "input_uncached_tokens", "input_cached_tokens"),
                    *("input_cache_write_tokens", "output_tokens", "num_model_requests"),
                )
            ),
            ExpectInputTokensToHoldTheirParts(),
            ExpectUncachedTokensToBeTheRest(severity=warning),
            gxe.ExpectColumnValuesToBeInSet(
                column="service_tier", value_set=KNOWN_TIERS, severity=warning
            ),
            nothing_unknown,
        ],
        "openai_admin_costs": [
            not_null("bucket_key"),
            within_time("bucket_start_at", days_ahead=2),
            ExpectDaysToHaveOneBucketKey(),
            # credits are negative
            between("amount", MOST_DOLLARS, -MOST_DOLLARS),
            # another currency is in no sum
            gxe.ExpectColumnValuesToBeInSet(column="currency", value_set=["USD"]),
            gxe.ExpectColumnValuesToBeInSet(
                column="quantity_unit", value_set=KNOWN_UNITS, severity=info
            ),
            nothing_unknown,
        ],
        "openai_admin_audit_logs": [
            not_null("event_id"),
            gxe.ExpectColumnValuesToBeUnique(column="event_id"),
            not_null("event_type"),
            within_time("occurred_at", days_ahead=2),
            gxe.ExpectColumnValuesToBeInSet(
                column="actor_type", value_set=["session", "api_key"], severity=warning
            ),
            nothing_unknown,
        ],
        **{
            table: [not_null(column), not_null("content_hash"), nothing_unknown]
            for table, column in TABLES_OF_ENTITIES.items()
        },
        "loads": [ExpectEveryRowToBeAccountedFor(), ExpectNoRowInQuarantine(severity=warning)],
    }
