"""Small writers of OTLP/JSON, as a collector's file exporter writes it."""

import json
from pathlib import Path
from typing import Any

Record = dict[str, Any]
SECOND = 10**9
AT_NS = 1_785_752_103 * SECOND + 640_000_000  # 2026-08-03T10:15:03.640Z


def attributes(values: dict[str, Any]) -> list[Record]:
    """Return attributes, each tagged as its type is; what is a dict already is taken as tagged."""

    def tagged(value: Any) -> Any:
        if isinstance(value, dict):
            return value
        if isinstance(value, bool):
            return {"boolValue": value}
        if isinstance(value, int):
            return {"intValue": str(value)}
        return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}

    return [{"key": key, "value": tagged(value)} for key, value in values.items()]


def _request(names: tuple[str, str, str], scope: str, resource: Record, records: Any) -> Record:
    resources, scopes, inner = names
    return {
        resources: [
            {
                "resource": {"attributes": attributes(resource)},
                scopes: [{"scope": {"name": scope, "version": "2.1.240"}, inner: records}],
            }
        ]
    }


CLAUDE_CODE = {"service.name": "claude-code", "service.version": "2.1.240", "team.id": "payments"}


def logs(*records: Any, resource: Record = CLAUDE_CODE) -> Record:
    """Return a request with log records of Claude Code."""
    names = ("resourceLogs", "scopeLogs", "logRecords")
    return _request(names, "com.anthropic.claude_code.events", resource, list(records))


def traces(*spans: Any, resource: Record = CLAUDE_CODE, scope: str = "any") -> Record:
    """Return a request with spans."""
    return _request(("resourceSpans", "scopeSpans", "spans"), scope, resource, list(spans))


def metrics(*found: Any, resource: Record = CLAUDE_CODE) -> Record:
    """Return a request with metrics."""
    names = ("resourceMetrics", "scopeMetrics", "metrics")
    return _request(names, "com.anthropic.claude_code", resource, list(found))


def event(name, number=1, at_ns=None, **changes):
    """Return an event of Claude Code; underscores of ``changes`` that are double are dots."""
    values = {
        "event.name": name,
        "event.sequence": number,
        "session.id": "session-1",
        "user.id": "5c2e7a41b09d",
        "user.account_id": "user_01Wm4T",
        "user.email": "Dana@example.com",
        "organization.id": "7f1c2c8e",
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    time_ns = AT_NS + number * SECOND if at_ns is None else at_ns
    return {
        "timeUnixNano": str(time_ns),
        "body": {"stringValue": f"claude_code.{name}"},
        "attributes": attributes({k: v for k, v in values.items() if v is not None}),
    }


def api_request(number=1, **changes):
    """Return the event of an answered request."""
    values = {
        "model": "claude-opus-5",
        "cost_usd": 0.062605,
        "cost_usd_micros": 62605,
        "duration_ms": 2841,
        "input_tokens": 6,
        "output_tokens": 187,
        "cache_read_tokens": 31800,
        "cache_creation_tokens": 4200,
        "request_id": f"req_{number}",
        "speed": "normal",
        "query_source": "repl_main_thread",
        **changes,
    }
    return event("api_request", number, **values)


def tool_result(number=1, **changes):
    """Return the event of an MCP tool that ran."""
    values = {
        "tool_name": "mcp_tool",
        "tool_use_id": f"toolu_{number}",
        "success": "true",
        "duration_ms": 412,
        "tool_parameters": '{"mcp_server_name":"ticketdesk","mcp_tool_name":"get_ticket"}',
        **changes,
    }
    return event("tool_result", number, **values)


def span(name, number=1, kind=3, parent="", **changes):
    """Return a span of a second; ``status`` 2 is an error."""
    status = changes.pop("status", 1)
    trace = changes.pop("trace", "6f2b8c1d4e5a79380b1c2d3e4f5a6b7c")
    return {
        "traceId": trace,
        "spanId": f"9a8b7c6d5e4f{number:04x}".upper(),
        "parentSpanId": parent,
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(AT_NS + number * SECOND),
        "endTimeUnixNano": str(AT_NS + (number + 1) * SECOND),
        "attributes": attributes({key.replace("__", "."): value for key, value in changes.items()}),
        "status": {"code": status},
    }


def within(span: Record, record: Record) -> Record:
    """Return a log record as one that was written in a span."""
    return {**record, "traceId": span["traceId"], "spanId": span["spanId"]}


def write(path: Path, *requests: Record | str | bytes) -> Path:
    """Write requests, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(as_line(request) + b"\n" for request in requests))
    return path


def as_line(request: Record | str | bytes) -> bytes:
    """Return a request as the file exporter writes it; text and bytes as they are."""
    if isinstance(request, bytes):
        return request
    if isinstance(request, str):
        return request.encode()
    return json.dumps(request, separators=(",", ":")).encode()
