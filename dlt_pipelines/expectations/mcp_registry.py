"""What is expected of MCP registries' entries once they are rows.

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
    ExpectFewRowsInQuarantine,
    not_null,
    within_time,
)

# the protocol is younger
OLDEST = datetime(2024, 11, 1)
KNOWN_REGISTRY_TYPES = ["npm", "pypi", "oci", "docker", "nuget", "mcpb", "unknown"]
KNOWN_TRANSPORTS = ["stdio", "streamable-http", "sse"]


class ExpectNamesToHaveANamespace(gxe.UnexpectedRowsExpectation):
    """Find names that are not ``namespace/name``: whose they are cannot be told."""

    unexpected_rows_query: str = """
        select load_id from {batch}
        where
            length(server_name) - length(replace(server_name, '/', '')) != 1
            or left(server_name, 1) = '/'
            or right(server_name, 1) = '/'
    """


def suites() -> Mapping[str, Sequence[Expectation]]:
    """Return the expectations by raw table."""
    warning, info = FailureSeverity.WARNING, FailureSeverity.INFO

    key = [not_null("registry_base"), not_null("server_name"), not_null("server_version")]
    return {
        "mcp_registry_versions": [
            *key,
            ExpectNamesToHaveANamespace(severity=warning),
            gxe.ExpectColumnValuesToBeInSet(
                column="status", value_set=["active", "deprecated", "deleted"], severity=warning
            ),
            not_null("published_at", warning),
            within_time("published_at", OLDEST, days_ahead=2),
            within_time("updated_at", OLDEST, days_ahead=2),
            gxe.ExpectColumnValuesToBeNull(column="unknown_fields", severity=info),
        ],
        "mcp_registry_packages": [
            *key,
            not_null("identifier", warning),
            gxe.ExpectColumnValuesToBeInSet(
                column="registry_type", value_set=KNOWN_REGISTRY_TYPES, severity=info
            ),
        ],
        "mcp_registry_remotes": [
            *key,
            not_null("url_host", warning),
            gxe.ExpectColumnValuesToBeInSet(
                column="transport_type", value_set=KNOWN_TRANSPORTS, severity=info
            ),
        ],
        "loads": [ExpectEveryRowToBeAccountedFor(), ExpectFewRowsInQuarantine(severity=warning)],
    }
