"""What is expected of a LiteLLM gateway's records once they are rows.

critical  a figure may be wrong
warning   something the models do not know, or know less surely: look at it
info      worth knowing, often right
"""

from collections.abc import Mapping, Sequence

from great_expectations import expectations as gxe
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

from dlt_pipelines.expectations._shared import (
    MOST_TOKENS,
    ExpectEveryRowToBeAccountedFor,
    ExpectFewRowsInQuarantine,
    counts_within_reason,
    fingerprints_of_content,
    not_null,
    within_time,
)

# a batch is one record, so it may hold more than one call could
MOST_TOKENS_OF_A_RECORD = 100 * MOST_TOKENS
TOKEN_COLUMNS = (
    "prompt_tokens",
    "completion_tokens",
    "usage_prompt_tokens",
    "usage_completion_tokens",
    "usage_input_tokens",
    "usage_output_tokens",
    "cache_read_input_tokens",
    "cached_tokens",
    "cache_creation_input_tokens",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
)


class ExpectInputToIncludeTheCache(gxe.UnexpectedRowsExpectation):
    """Find inputs that are less than the cache in them: no uncached input is counted there."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            coalesce(usage_prompt_tokens, prompt_tokens)
            < coalesce(cache_read_input_tokens, cached_tokens, 0)
            + coalesce(cache_creation_input_tokens, 0)
            and usage_input_tokens is null
    """


class ExpectAnswersToHaveAUsageOfTheProvider(gxe.UnexpectedRowsExpectation):
    """Find answers without usage_object: what of their input was cached cannot be told."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            coalesce(status, 'success') = 'success'
            and coalesce(prompt_tokens, 0) > 0
            and not is_cache_hit
            and coalesce(usage_prompt_tokens, usage_input_tokens) is null
    """


class ExpectOriginalCostWhereThereIsAMargin(gxe.UnexpectedRowsExpectation):
    """Find costs with a margin of the gateway's own that cannot be taken off."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where margin_amount_usd > 0 and original_cost_usd is null
    """


def suites() -> Mapping[str, Sequence[Expectation]]:
    """Return the expectations by raw table."""
    warning, info = FailureSeverity.WARNING, FailureSeverity.INFO

    def null(column: str) -> Expectation:
        return gxe.ExpectColumnValuesToBeNull(column=column, severity=warning)

    return {
        "litellm_spend_logs": [
            gxe.ExpectColumnValuesToBeUnique(column="request_id"),
            not_null("request_id"),
            not_null("model", warning),
            not_null("custom_llm_provider", info),
            not_null("api_key_id", info),
            within_time("started_at"),
            *counts_within_reason(TOKEN_COLUMNS, MOST_TOKENS_OF_A_RECORD),
            ExpectInputToIncludeTheCache(severity=warning),
            ExpectAnswersToHaveAUsageOfTheProvider(severity=warning),
            ExpectOriginalCostWhereThereIsAMargin(severity=warning),
            gxe.ExpectColumnValuesToBeInSet(
                column="status", value_set=["success", "failure"], severity=warning
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="spend_usd", min_value=0, max_value=10_000, severity=warning
            ),
            null("unknown_fields"),
        ],
        "litellm_tool_calls": [
            not_null("request_id"),
            not_null("tool_name", warning),
            gxe.ExpectColumnValuesToNotBeInSet(
                column="mcp_name", value_set=["unknown"], severity=warning
            ),
            within_time("started_at"),
            null("unknown_fields"),
        ],
        "litellm_keys": [not_null("key_id"), not_null("team_id", info)],
        "litellm_users": [not_null("user_id")],
        "litellm_audit_logs": [
            gxe.ExpectColumnValuesToBeUnique(column="event_id"),
            within_time("occurred_at"),
            not_null("actor_id", warning),
        ],
        "content_fingerprints": fingerprints_of_content(),
        "loads": [ExpectEveryRowToBeAccountedFor(), ExpectFewRowsInQuarantine(severity=warning)],
    }
