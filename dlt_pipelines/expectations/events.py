"""What is expected of events that were pushed once they are rows.

critical  a figure may be wrong
warning   something the models do not know, or know less surely: look at it
info      worth knowing, often right
"""

from collections.abc import Mapping, Sequence

from great_expectations import expectations as gxe
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

from dlt_pipelines.expectations._shared import (
    TOKEN_COLUMNS,
    ExpectEveryRowToBeAccountedFor,
    ExpectNoRowInQuarantine,
    counts_within_reason,
    fingerprints_of_content,
    not_null,
    within_time,
)


class ExpectCallsToNameWhatOthersKnowThemBy(gxe.UnexpectedRowsExpectation):
    """Find calls without an id of their vendor: another source's sight of one counts again."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where vendor is null or coalesce(message_id, request_id) is null
    """


def suites() -> Mapping[str, Sequence[Expectation]]:
    """Return the expectations by raw table."""
    warning, info = FailureSeverity.WARNING, FailureSeverity.INFO

    return {
        "events": [
            not_null("event_source"),
            not_null("event_id"),
            not_null("event_type"),
            not_null("content_hash"),
            within_time("received_at"),
            not_null("event_at", info),
        ],
        "events_calls": [
            not_null("call_id"),
            not_null("model_id", warning),
            within_time("called_at"),
            *counts_within_reason(TOKEN_COLUMNS),
            ExpectCallsToNameWhatOthersKnowThemBy(severity=info),
            gxe.ExpectColumnValuesToBeBetween(
                column="cost_usd", min_value=0, max_value=1000, severity=warning
            ),
        ],
        "content_fingerprints": fingerprints_of_content(),
        "loads": [
            ExpectEveryRowToBeAccountedFor(),
            ExpectNoRowInQuarantine(severity=warning),
        ],
    }
