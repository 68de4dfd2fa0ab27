"""What is expected of spans of the GenAI and MCP conventions once they are rows.

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
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)


class ExpectInputOfSpansToIncludeTheCache(gxe.UnexpectedRowsExpectation):
    """Find spans whose producer leaves the cache out of the input: their input counts as 0."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            coalesce(input_tokens, 0)
            < coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
    """


class ExpectSpansToSplitTheirCacheWrites(gxe.UnexpectedRowsExpectation):
    """Find cache writes whose parts, which have prices of their own, exceed the whole."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            cache_write_tokens is not null
            and coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
            > cache_write_tokens
    """


def suites() -> Mapping[str, Sequence[Expectation]]:
    """Return the expectations by raw table."""
    warning, info = FailureSeverity.WARNING, FailureSeverity.INFO

    return {
        "otel_genai_model_spans": [
            not_null("span_id"),
            not_null("started_at"),
            within_time("started_at"),
            # without it a call cannot be told from what a provider's own log says of it
            not_null("response_id", warning),
            not_null("response_model", warning),
            ExpectInputOfSpansToIncludeTheCache(severity=warning),
            ExpectSpansToSplitTheirCacheWrites(),
            *counts_within_reason(TOKEN_COLUMNS),
            gxe.ExpectColumnValuesToBeBetween(
                column="cost_usd", min_value=0, max_value=1000, severity=warning
            ),
        ],
        "otel_genai_tool_spans": [
            not_null("span_id"),
            not_null("tool_name", warning),
            within_time("started_at"),
        ],
        "otel_genai_mcp_requests": [within_time("started_at")],
        "otel_genai_record_types": [
            # a newer convention may name what we should read
            gxe.ExpectColumnValuesToBeInSet(column="is_known", value_set=[True], severity=info),
        ],
        "content_fingerprints": fingerprints_of_content(),
        "loads": [ExpectEveryRowToBeAccountedFor(), ExpectFewRowsInQuarantine(severity=warning)],
    }
