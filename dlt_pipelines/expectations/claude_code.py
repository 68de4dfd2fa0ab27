"""What is expected of Claude Code's transcripts once they are rows.

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
    "cache_creation_input_tokens",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
)

# what the price book knows of; another value is priced as the first of its kind
PRICED_VALUES = {
    "service_tier": ["standard", "priority", "batch"],
    "speed": ["standard", "fast"],
    "inference_geo": ["global", "us", "not_available", ""],
}

# `message` is an attempt at an answer that was declined midway
KNOWN_PASSES = ["compaction", "advisor_message", "message"]


class ExpectAnswersToHaveTheirOwnId(gxe.UnexpectedRowsExpectation):
    """Find answers that only their line tells apart: a copy of it would count again."""

    unexpected_rows_query: str = """
        select load_id from {batch} where message_id is null and request_id is null
    """


class ExpectCacheSplitWithinTotal(gxe.UnexpectedRowsExpectation):
    """Find cache writes whose parts, which have prices of their own, exceed the whole."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            coalesce(ephemeral_5m_input_tokens, 0) + coalesce(ephemeral_1h_input_tokens, 0)
            > coalesce(cache_creation_input_tokens, 0)
    """


class ExpectToolNamesToNameServerAndTool(gxe.UnexpectedRowsExpectation):
    """Find names that are not ``mcp__<server>__<tool>``: their server cannot be told."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            tool_name is null
            or left(tool_name, 5) != 'mcp__'
            or substr(tool_name, 6) not like '_%$_$__%' escape '$'
    """


def suites() -> Mapping[str, Sequence[Expectation]]:
    """Return the expectations by raw table."""
    warning, info = FailureSeverity.WARNING, FailureSeverity.INFO

    return {
        "claude_code_messages": [
            gxe.ExpectTableRowCountToBeBetween(min_value=1, severity=info),
            not_null("file_id"),
            not_null("user_id"),
            not_null("session_id", warning),
            not_null("message_id", warning),
            ExpectAnswersToHaveTheirOwnId(severity=warning),
            not_null("observed_at"),
            within_time("observed_at"),
            not_null("model"),
            not_null("input_tokens"),
            not_null("output_tokens"),
            *counts_within_reason(TOKEN_COLUMNS),
            ExpectCacheSplitWithinTotal(),
            gxe.ExpectColumnValuesToBeBetween(
                column="web_search_requests", min_value=0, max_value=1000
            ),
            *(
                gxe.ExpectColumnValuesToBeInSet(column=column, value_set=values, severity=warning)
                for column, values in PRICED_VALUES.items()
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="cost_usd", min_value=0, max_value=1000, severity=warning
            ),
        ],
        "claude_code_passes": [
            within_time("observed_at"),
            not_null("input_tokens"),
            not_null("output_tokens"),
            *counts_within_reason(TOKEN_COLUMNS),
            ExpectCacheSplitWithinTotal(),
            # another type is held to be a pass beside the answer, and may be the answer itself
            gxe.ExpectColumnValuesToBeInSet(
                column="pass_type", value_set=KNOWN_PASSES, severity=warning
            ),
        ],
        "claude_code_tool_uses": [
            not_null("tool_use_id", warning),
            not_null("input_fingerprint", warning),
            within_time("observed_at"),
            ExpectToolNamesToNameServerAndTool(),
        ],
        "claude_code_tool_results": [
            not_null("tool_use_id"),
            not_null("is_error"),
            within_time("observed_at"),
        ],
        "claude_code_prompts": [
            not_null("user_id"),
            not_null("session_id", warning),
            within_time("observed_at"),
            # a prompt of punctuation alone, such as "?", has none
            not_null("dedup_hash", info),
        ],
        "content_fingerprints": fingerprints_of_content(),
        "claude_code_record_types": [
            # a newer client may write what we should read
            gxe.ExpectColumnValuesToBeInSet(column="is_known", value_set=[True], severity=info),
        ],
        "claude_code_files": [
            gxe.ExpectTableRowCountToBeBetween(min_value=1),
            gxe.ExpectColumnValuesToBeUnique(column="file_id"),
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="size_bytes", column_B="consumed_bytes", or_equal=True
            ),
        ],
        "loads": [ExpectEveryRowToBeAccountedFor(), ExpectFewRowsInQuarantine(severity=warning)],
    }
