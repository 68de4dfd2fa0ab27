"""What a source of an API holds: a package lands before all that it may ask for is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from dlt_pipelines.plugin import find_plugin
from dlt_pipelines.sources.litellm import client as litellm_client
from tests.load_context import load_context
from tests.vendors import anthropic_admin, anthropic_compliance, litellm, openai_admin
from tests.vendors.anthropic_admin import AnthropicAdmin
from tests.vendors.anthropic_compliance import AnthropicCompliance
from tests.vendors.litellm import Gateway, changed, spend_logs
from tests.vendors.mcp_registry import entries, registry
from tests.vendors.openai_admin import openai_server
from tests.vendors.server import VendorServer

NOW = datetime(2026, 11, 6)


@dataclass(frozen=True)
class Case:
    """A source in small packages, and how many requests one of them takes."""

    source: str
    server: Callable[[], VendorServer]
    settings: Callable[[str], dict[str, Any]]
    requests: int


def spend_log(hour: int) -> dict[str, Any]:
    """Return what a gateway logged of a call."""
    time = f"2026-11-05T{hour:02}:30:00Z"
    return changed(spend_logs()[0], request_id=f"msg_{hour}", startTime=time, endTime=time)


CASES = [
    Case(
        "anthropic_compliance",
        lambda: AnthropicCompliance().server,
        lambda url: {
            "api_key": anthropic_compliance.COMPLIANCE_KEY,
            "base_url": url,
            "page_size": 2,
            "pages_per_package": 2,
        },
        requests=2,
    ),
    Case(
        "mcp_registry",
        lambda: registry(entries()),
        lambda url: {"registries": [{"base_url": url}], "page_size": 2, "pages_per_load": 2},
        requests=2,
    ),
    Case(
        "openai_admin",
        openai_server,
        lambda url: {
            "api_key": openai_admin.ADMIN_KEY,
            "base_url": f"{url}/v1",
            "start_date": "2026-08-01",
            "usage_reports": ["completions"],
            "costs": False,
            "audit_logs": False,
            "identities": False,
        },
        requests=1,
    ),
    Case(
        "anthropic_admin",
        lambda: AnthropicAdmin(NOW).server,
        lambda url: {
            "api_key": anthropic_admin.ADMIN_KEY,
            "base_url": url,
            "organization_id": "org_1",
            "reads": ["usage"],
            "window_days": 7,
            "correction_days": 0,
            "history_days": 30,
        },
        requests=1,
    ),
    Case(
        "litellm",
        lambda: Gateway([spend_log(hour) for hour in range(24)]),
        lambda url: {
            "api_key": litellm.KEY,
            "base_url": url,
            "page_size": 6,
            "start_date": "2026-11-05",
            "rows_per_package": 12,
        },
        # a page of a day, which has too many rows, and those of its first half
        requests=3,
    ),
]


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch):
    monkeypatch.setattr(litellm_client, "ROWS_PER_WINDOW", 12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.source)
def test_a_package_is_handed_over_before_the_rest_is_asked_for(tmp_path, case):
    server = case.server()
    with server.running() as url:
        plugin_class = find_plugin(case.source)
        config = plugin_class.configuration.model_validate(case.settings(url))
        plugin = plugin_class(config, load_context(tmp_path, now=NOW))
        assert plugin.fetch()

    assert not plugin.is_complete
    assert len(server.requests) == case.requests
