"""What is expected of Anthropic's audit events once they are rows.

critical  a figure may be wrong
warning   something the models do not know, or know less surely: look at it
info      worth knowing, often right
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from great_expectations import expectations as gxe
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

from dlt_pipelines.expectations._shared import (
    ExpectEveryRowToBeAccountedFor,
    ExpectNoRowInQuarantine,
    not_null,
    within_time,
)

OLDEST = datetime(2015, 1, 1)
KNOWN_ACTORS = [
    "user_actor",
    "api_actor",
    "admin_api_key_actor",
    "service_account_actor",
    "federated_identity_actor",
    "federated_actor",
    "attested_device_actor",
    "unauthenticated_user_actor",
    "scim_directory_sync_actor",
    "anthropic_actor",
    "system_actor",
]


class ExpectNothingOfAPersonInDetails(gxe.UnexpectedRowsExpectation):
    """Find details that hold an e-mail address: they must hold pseudonyms instead."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where position('@' in coalesce(before_json, '') || coalesce(after_json, '')) > 0
    """


class ExpectSomebodyToHaveDoneIt(gxe.UnexpectedRowsExpectation):
    """Find events of nobody; of the provider's own staff no one is told."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where actor_id is null and coalesce(actor_kind, '') != 'anthropic_actor'
    """


def suites() -> Mapping[str, Sequence[Expectation]]:
    """Return the expectations by raw table."""
    warning, info = FailureSeverity.WARNING, FailureSeverity.INFO

    return {
        "anthropic_compliance_events": [
            not_null("event_id"),
            gxe.ExpectColumnValuesToBeUnique(column="event_id"),
            not_null("action"),
            within_time("created_at", OLDEST, days_ahead=2),
            within_time("occurred_at", OLDEST, days_ahead=2),
            gxe.ExpectColumnValuesToBeInSet(
                column="actor_kind", value_set=KNOWN_ACTORS, severity=warning
            ),
            ExpectSomebodyToHaveDoneIt(severity=info),
            ExpectNothingOfAPersonInDetails(),
            gxe.ExpectColumnValuesToBeNull(column="unparsed_fields", severity=warning),
        ],
        "loads": [ExpectEveryRowToBeAccountedFor(), ExpectNoRowInQuarantine(severity=warning)],
    }
