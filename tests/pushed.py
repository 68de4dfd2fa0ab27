"""Small writers of events, as the intake keeps what was pushed."""

import json
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from typing import Any

from dlt_pipelines import exact_json
from dlt_pipelines.cloud_events import received
from dlt_pipelines.config import Settings
from dlt_pipelines.event_gate import event_types, open_gate
from dlt_pipelines.event_store import Entry
from dlt_pipelines.event_store.opening import open_store
from dlt_pipelines.plugin import installed_plugins
from dlt_pipelines.sources.events.schema import CALL

AT = datetime(2026, 8, 3, 10, 16)


def call(number: int | str, source: str = "/gw", **changes: Any) -> dict[str, Any]:
    """Return an event of a call; ``changes`` are members of its data."""
    data = {
        "call_id": f"call-{number}",
        "timestamp": "2026-08-03T10:15:00.000Z",
        "vendor": "anthropic",
        "message_id": f"msg_{number}",
        "model_id": "claude-opus-4-8",
        "mcp_name": "ticketdesk",
        "tool_name": "get_ticket",
        "input_tokens": 250,
        "output_tokens": 700,
        "status": "success",
        "user_id": "Dana@example.com",
        **changes,
    }
    return event(number, CALL, data, source)


def event(
    number: int | str, event_type: str, data: dict[str, Any], source: str = "/gw"
) -> dict[str, Any]:
    """Return an event in the JSON format."""
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": source,
        "type": event_type,
        "data": {name: value for name, value in data.items() if value is not ...},
    }


def push(
    settings: Settings, events: Iterable[dict[str, Any]] = (), at: datetime = AT, **telemetry: Any
) -> None:
    """Keep a request with events that the gate admits; ``logs`` and its like are of OTLP."""
    gate = open_gate(settings, event_types(installed_plugins().values()))
    lines = [gate.admit(received(exact_json.parse(json.dumps(found).encode()))) for found in events]
    entries = [Entry("events", b"".join(line + b"\n" for line in lines), at)] if lines else []
    entries += [
        Entry(kind, json.dumps(request).encode(), at)  # type: ignore[arg-type]
        for kind, request in telemetry.items()
    ]
    with closing(open_store(settings)) as store:
        store.append(entries)
