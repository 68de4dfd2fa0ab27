"""What is expected of Claude Code's telemetry once it is rows.

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
    ExpectFewRowsInQuarantine,
    counts_within_reason,
    fingerprints_of_content,
    not_null,
    within_time,
)

TOKEN_COLUMNS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
)


class ExpectRequestsToHaveAnId(gxe.UnexpectedRowsExpectation):
    """Find requests that only their place in a session tells apart from others."""

    unexpected_rows_query: str = """
        select load_id from {batch} where request_id is null and client_request_id is null
    """


class ExpectAnswersToCountTokens(gxe.UnexpectedRowsExpectation):
    """Find requests that were answered and say nothing of their tokens."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where not is_error and (input_tokens is null or output_tokens is null)
    """


def suites() -> Mapping[str, Sequence[Expectation]]:
    """Return the expectations by raw table."""
    warning, info = FailureSeverity.WARNING, FailureSeverity.INFO

    return {
        "claude_code_otel_requests": [
            not_null("started_at"),
            within_time("started_at"),
            not_null("session_id", warning),
            # without an account or an e-mail nothing tells whose the call was
            not_null("user_id", warning),
            not_null("model", warning),
            ExpectRequestsToHaveAnId(severity=warning),
            ExpectAnswersToCountTokens(),
            *counts_within_reason(TOKEN_COLUMNS),
            gxe.ExpectColumnValuesToBeInSet(
                column="speed", value_set=["normal", "standard", "fast"], severity=warning
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="cost_usd", min_value=0, max_value=1000, severity=warning
            ),
        ],
        "claude_code_otel_tool_events": [
            not_null("tool_use_id", warning),
            # hidden unless OTEL_LOG_TOOL_DETAILS is on
            not_null("mcp_server_name", warning),
            within_time("started_at"),
        ],
        "claude_code_otel_prompts": [
            not_null("user_id"),
            not_null("session_id", warning),
            within_time("observed_at"),
            # a prompt of punctuation alone, such as "?", has none
            not_null("dedup_hash", info),
        ],
        "claude_code_otel_audit_events": [within_time("occurred_at")],
        "claude_code_otel_metrics": [
            not_null("metric_value"),
            within_time("observed_at"),
            gxe.ExpectColumnValuesToBeInSet(
                column="temporality", value_set=["delta", "cumulative"], severity=warning
            ),
        ],
        "claude_code_otel_record_types": [
            # a newer client may write what we should read
            gxe.ExpectColumnValuesToBeInSet(column="is_known", value_set=[True], severity=info),
        ],
        "content_fingerprints": fingerprints_of_content(),
        "loads": [ExpectEveryRowToBeAccountedFor(), ExpectFewRowsInQuarantine(severity=warning)],
    }
