"""What is expected of mapped files once they are rows.

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
    ExpectFewRowsInQuarantine,
    counts_within_reason,
    fingerprints_of_content,
    not_null,
    within_time,
)


class ExpectAnAmountOfABill(gxe.UnexpectedRowsExpectation):
    """Find lines of a bill that say neither what is to be paid nor what it is at list price."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where not is_empty and net_cost_usd is null and list_cost_usd is null
    """


def suites() -> Mapping[str, Sequence[Expectation]]:
    """Return the expectations by raw table."""
    warning, info = FailureSeverity.WARNING, FailureSeverity.INFO

    return {
        "call_events": [
            not_null("observation_id"),
            not_null("vendor"),
            not_null("requested_model"),
            within_time("observed_at"),
            # without one a row is known by its place in the file alone
            not_null("message_id", info),
            *counts_within_reason(TOKEN_COLUMNS),
        ],
        "tool_call_events": [
            not_null("observation_id"),
            not_null("tool_name", warning),
            within_time("observed_at"),
        ],
        "usage_bucket_events": [not_null("bucket_key"), within_time("bucket_start_at")],
        "cost_events": [
            not_null("bucket_key"),
            within_time("bucket_start_at"),
            ExpectAnAmountOfABill(),
            gxe.ExpectColumnValuesToBeInSet(
                column="currency", value_set=["USD"], severity=FailureSeverity.CRITICAL
            ),
        ],
        "csv_files": [
            gxe.ExpectColumnValuesToBeInSet(
                column="is_readable", value_set=[True], severity=warning
            )
        ],
        "content_fingerprints": fingerprints_of_content(),
        "loads": [ExpectEveryRowToBeAccountedFor(), ExpectFewRowsInQuarantine(severity=warning)],
    }
