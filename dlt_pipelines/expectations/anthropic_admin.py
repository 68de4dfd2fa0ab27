"""What is expected of Anthropic's Admin API once it is rows.

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
    counts_within_reason,
    not_null,
    within_time,
)

# of one group of one bucket
MOST_TOKENS = 10**13
MOST_DOLLARS = 10_000_000

KNOWN_TIERS = ["standard", "batch", "priority", "priority_on_demand", "flex", "flex_discount"]
KNOWN_COST_TYPES = ["tokens", "web_search", "code_execution", "session_usage"]
KNOWN_TOKEN_TYPES = [
    "uncached_input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
]
USAGE_COLUMNS = (
    "uncached_input_tokens",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "web_search_requests",
    "requests",
)
CLAUDE_CODE_COLUMNS = (
    "input_tokens",
    "cache_creation_tokens",
    "cache_read_tokens",
    "output_tokens",
)
IDS = {
    "anthropic_admin_users": "user_id",
    "anthropic_admin_workspaces": "workspace_id",
    "anthropic_admin_workspace_members": "user_id",
    "anthropic_admin_api_keys": "api_key_id",
    "anthropic_admin_service_accounts": "service_account_id",
}


class ExpectTotalTokensToBeTheirSum(gxe.UnexpectedRowsExpectation):
    """Find groups whose kinds of tokens do not add up to the total: a kind may be new."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            total_tokens is not null
            and uncached_input_tokens + ephemeral_5m_input_tokens + ephemeral_1h_input_tokens
            + cache_read_input_tokens + output_tokens != total_tokens
    """


class ExpectGroupsToHaveTokens(gxe.UnexpectedRowsExpectation):
    """Find groups without counts that do not say that their day is empty."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where not is_empty and (uncached_input_tokens is null or output_tokens is null)
    """


class ExpectGroupsToHaveAnAmount(gxe.UnexpectedRowsExpectation):
    """Find lines of the bill without an amount that do not say that their day is empty."""

    unexpected_rows_query: str = """
        select load_id from {batch} where not is_empty and amount_usd is null
    """


class ExpectNetNotToExceedList(gxe.UnexpectedRowsExpectation):
    """Find lines that cost more than the list says: the two may be swapped, or in other units."""

    unexpected_rows_query: str = """
        select load_id from {batch} where amount_usd > list_amount_usd and list_amount_usd >= 0
    """


class ExpectDaysToHoldTheirBuckets(gxe.UnexpectedRowsExpectation):
    """Find buckets that are not wholly in the day that they land with."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            bucket_key != cast(cast(bucket_start_at as date) as varchar)
            or bucket_end_at > cast(bucket_start_at as date) + interval '1' day
    """


class ExpectDaysToBeOfOneEndpoint(gxe.UnexpectedRowsExpectation):
    """Find days that landed from two endpoints, or grouped in two ways: they count twice."""

    unexpected_rows_query: str = """
        select bucket_key from {batch}
        group by bucket_key
        having
            count(distinct endpoint) > 1
            or count(distinct group_by) > 1
            or count(distinct content_hash) > 1
    """


def suites() -> Mapping[str, Sequence[Expectation]]:
    """Return the expectations by raw table."""
    warning = FailureSeverity.WARNING

    def known(column: str, values: list[str]) -> Expectation:
        return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=values, severity=warning)

    def no_unknown_fields() -> Expectation:
        return gxe.ExpectColumnValuesToBeNull(column="unknown_fields", severity=warning)

    def buckets() -> list[Expectation]:
        return [
            not_null("org_id"),
            not_null("content_hash"),
            within_time("bucket_start_at", days_ahead=2),
            ExpectDaysToHoldTheirBuckets(),
            ExpectDaysToBeOfOneEndpoint(),
            no_unknown_fields(),
        ]

    return {
        "anthropic_admin_usage": [
            *buckets(),
            ExpectGroupsToHaveTokens(),
            *counts_within_reason(USAGE_COLUMNS, MOST_TOKENS),
            ExpectTotalTokensToBeTheirSum(),
            known("service_tier", KNOWN_TIERS),
            known("speed", ["standard", "fast"]),
            known("context_window", ["0-200k", "200k-1M"]),
            known("inference_geo", ["global", "us", "not_available"]),
        ],
        "anthropic_admin_costs": [
            *buckets(),
            ExpectGroupsToHaveAnAmount(),
            gxe.ExpectColumnValuesToBeBetween(
                column="amount_usd", min_value=-MOST_DOLLARS, max_value=MOST_DOLLARS
            ),
            ExpectNetNotToExceedList(severity=warning),
            known("cost_type", KNOWN_COST_TYPES),
            known("token_type", KNOWN_TOKEN_TYPES),
        ],
        "anthropic_admin_claude_code_usage": [
            *buckets(),
            *counts_within_reason(CLAUDE_CODE_COLUMNS, MOST_TOKENS),
            gxe.ExpectColumnValuesToBeBetween(
                column="estimated_cost_usd", min_value=0, max_value=MOST_DOLLARS
            ),
        ],
        "anthropic_admin_claude_code_activity": [
            *buckets(),
            *counts_within_reason(["sessions"], MOST_TOKENS),
        ],
        **{
            table: [not_null("org_id"), not_null(column), no_unknown_fields()]
            for table, column in IDS.items()
        },
        "loads": [ExpectEveryRowToBeAccountedFor(), ExpectNoRowInQuarantine(severity=warning)],
    }
