"""The telemetry of the demo's made-up company, as an OpenTelemetry collector writes it to files.

<day>.json, one export request a line: what one session reported on that day. The clients have
OTEL_LOG_TOOL_DETAILS=1 and OTEL_RESOURCE_ATTRIBUTES=team.id=<team> set.
"""

import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from dlt_pipelines.demo.company import ORGANIZATION, Call, Metered, ToolRun, email, zulu
from dlt_pipelines.demo.prices import list_usd, web_search_usd

VERSION = "2.1.240"
SCOPE = "com.anthropic.claude_code.events"

Event = tuple[dt.datetime, str, dict[str, Any]]
"""When it was reported, its name and its attributes."""


def files(calls: Iterable[Call]) -> Iterator[tuple[str, str]]:
    """Yield the name and content of each day's file."""
    sessions: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        sessions[call.session_id].append(call)
    days: dict[dt.date, list[tuple[dt.datetime, str]]] = defaultdict(list)
    for session in sessions.values():
        for day, reported_at, request in _requests(session):
            days[day].append((reported_at, request))
    for day, requests in sorted(days.items()):
        yield f"{day}.json", "".join(f"{request}\n" for _, request in sorted(requests))


def _requests(session: list[Call]) -> Iterator[tuple[dt.date, dt.datetime, str]]:
    """Yield an export request a day of a session: the day, its first event's time, the text."""
    events = sorted((event for call in session for event in _events(call)), key=lambda e: e[0])
    first = session[0]
    common = {
        "session.id": first.session_id,
        "user.id": hashlib.sha256(first.user.encode()).hexdigest()[:12],
        "user.email": email(first.user),
        "organization.id": ORGANIZATION,
    }
    days: dict[dt.date, list[dict[str, Any]]] = defaultdict(list)
    first_at: dict[dt.date, dt.datetime] = {}
    for sequence, (time, name, attributes) in enumerate(events, 1):
        first_at.setdefault(time.date(), time)
        days[time.date()].append(_record(time, name, sequence, common | attributes))
    resource = {
        "service.name": "claude-code",
        "service.version": VERSION,
        "os.type": "linux",
        "team.id": first.team,
    }
    for day, records in days.items():
        scope_logs = [{"scope": {"name": SCOPE, "version": VERSION}, "logRecords": records}]
        logs = {"resource": {"attributes": otlp_attributes(resource)}, "scopeLogs": scope_logs}
        request = json.dumps({"resourceLogs": [logs]}, separators=(",", ":"))
        yield day, first_at[day], request


def _record(
    time: dt.datetime, name: str, sequence: int, attributes: dict[str, Any]
) -> dict[str, Any]:
    nanoseconds = unix_nanoseconds(time)
    named = {
        "event.name": name,
        "event.timestamp": zulu(time),
        "event.sequence": sequence,
    }
    return {
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds,
        "body": {"stringValue": f"claude_code.{name}"},
        "attributes": otlp_attributes(named | attributes),
    }


def otlp_attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return attributes as OTLP/JSON has them: a 64-bit integer is a text of digits."""

    def tagged(value: Any) -> dict[str, Any]:
        if isinstance(value, int):
            return {"intValue": str(value)}
        return {"doubleValue" if isinstance(value, float) else "stringValue": value}

    return [{"key": key, "value": tagged(value)} for key, value in values.items()]


def _events(call: Call) -> Iterator[Event]:
    tokens = call.metered.tokens
    micros = int((_estimate_usd(call.metered) * 10**6).to_integral_value())
    request = {
        "model": call.metered.model,
        "cost_usd": micros / 10**6,
        "cost_usd_micros": micros,
        "duration_ms": _milliseconds(call.ended_at - call.metered.started_at),
        "input_tokens": tokens["input"],
        "output_tokens": tokens["output"],
        "cache_read_tokens": tokens["cache_read"],
        "cache_creation_tokens": tokens["cache_write_5m"] + tokens["cache_write_1h"],
        "request_id": call.request_id,
        "speed": "fast" if call.metered.speed == "fast" else "normal",
        "query_source": call.query_source,
    }
    yield call.ended_at, "api_request", request
    for tool in call.tools:
        yield _tool_event(tool)


def _tool_event(tool: ToolRun) -> Event:
    attributes: dict[str, Any] = {"tool_name": tool.name, "tool_use_id": tool.tool_use_id}
    is_mcp = tool.name.startswith("mcp__")
    if is_mcp:
        _, server, name = tool.name.split("__", 2)
        attributes["tool_name"] = "mcp_tool"
        parameters = {"mcp_server_name": server, "mcp_tool_name": name}
        attributes["tool_parameters"] = json.dumps(parameters, separators=(",", ":"))
    if tool.outcome == "denied":
        attributes |= {"decision": "reject", "source": "user_temporary"}
        attributes["tool_source"] = "mcp" if is_mcp else "builtin"
        return tool.ended_at, "tool_decision", attributes
    tool_input = json.dumps(tool.arguments, separators=(",", ":"))
    attributes |= {
        "success": "true" if tool.outcome == "success" else "false",
        "duration_ms": _milliseconds(tool.duration),
        "decision_type": "accept",
        "decision_source": "config",
        "tool_input_size_bytes": len(tool_input),
        "tool_result_size_bytes": tool.result_bytes,
    }
    if is_mcp:
        attributes |= {"mcp_server_scope": "project", "tool_input": tool_input}
    return tool.ended_at, "tool_result", attributes


def _estimate_usd(call: Metered) -> Decimal:
    """Return the client's own estimate: list prices, and nothing of where inference ran."""
    everywhere = Metered(call.model, call.started_at, call.tokens, speed=call.speed)
    searches = call.web_searches * web_search_usd(call.started_at.date())
    return sum(list_usd(everywhere).values(), searches)


def unix_nanoseconds(time: dt.datetime) -> str:
    """Return a time as OTLP has it."""
    return str(_milliseconds(time - dt.datetime.fromtimestamp(0, dt.UTC)) * 10**6)


def _milliseconds(duration: dt.timedelta) -> int:
    return duration // dt.timedelta(milliseconds=1)
