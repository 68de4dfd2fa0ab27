"""The raw tables of the source claude_code_otel."""

from dlt_pipelines.landing import ColumnType, RawTable
from dlt_pipelines.line_source import files_table

PLACE: dict[str, ColumnType] = {
    "load_id": "text",
    "file_id": "text",
    "line_number": "bigint",
    "record_path": "text",
    "event_name": "text",
    "session_id": "text",
    "org_id": "text",
    "user_id": "text",
    "team_id": "text",
    "project": "text",
}

REQUESTS = RawTable(
    "claude_code_otel_requests",
    {
        **PLACE,
        "event_sequence": "bigint",
        "prompt_id": "text",
        "request_id": "text",
        "client_request_id": "text",
        "trace_id": "text",
        "span_id": "text",
        "model": "text",
        "input_tokens": "bigint",
        "output_tokens": "bigint",
        "cache_read_tokens": "bigint",
        "cache_creation_tokens": "bigint",
        "cost_usd": "usd",
        "duration_ms": "bigint",
        "status_code": "bigint",
        "is_error": "bool",
        "attempt": "bigint",
        "speed": "text",
        "query_source": "text",
        "service_version": "text",
        "started_at": "timestamp",
        "ended_at": "timestamp",
    },
)

TOOL_EVENTS = RawTable(
    "claude_code_otel_tool_events",
    {
        **PLACE,
        "event_sequence": "bigint",
        "prompt_id": "text",
        "tool_use_id": "text",
        "mcp_server_name": "text",
        "mcp_tool_name": "text",
        "mcp_server_scope": "text",
        "input_fingerprint": "text",
        "is_success": "bool",
        "is_denied": "bool",
        "error_type": "text",
        "duration_ms": "bigint",
        "tool_input_size_bytes": "bigint",
        "tool_result_size_bytes": "bigint",
        "trace_id": "text",
        "span_id": "text",
        "started_at": "timestamp",
        "ended_at": "timestamp",
    },
)

PROMPTS = RawTable(
    "claude_code_otel_prompts",
    {
        "load_id": "text",
        "file_id": "text",
        "line_number": "bigint",
        "record_path": "text",
        "prompt_id": "text",
        "session_id": "text",
        "user_id": "text",
        "team_id": "text",
        "dedup_hash": "text",
        "observed_at": "timestamp",
    },
)

AUDIT_EVENTS = RawTable(
    "claude_code_otel_audit_events",
    {
        **PLACE,
        "event_sequence": "bigint",
        "tool_use_id": "text",
        "tool_name": "text",
        "mcp_server_name": "text",
        "plugin_name": "text",
        "action": "text",
        "status": "text",
        "decision_source": "text",
        "error_code": "text",
        "mode_before": "text",
        "mode_after": "text",
        "occurred_at": "timestamp",
    },
)

METRICS = RawTable(
    "claude_code_otel_metrics",
    {
        "load_id": "text",
        "file_id": "text",
        "line_number": "bigint",
        "record_path": "text",
        "metric_name": "text",
        "metric_unit": "text",
        "temporality": "text",
        "series_key": "text",
        "session_id": "text",
        "org_id": "text",
        "user_id": "text",
        "team_id": "text",
        "project": "text",
        "metric_type": "text",
        "model": "text",
        "query_source": "text",
        "speed": "text",
        "mcp_server_name": "text",
        "metric_value": "usd",
        "started_at": "timestamp",
        "observed_at": "timestamp",
        "bucket_start_at": "timestamp",
        "bucket_end_at": "timestamp",
    },
)

RECORD_TYPES = RawTable(
    "claude_code_otel_record_types",
    {
        "load_id": "text",
        "signal": "text",
        "record_type": "text",
        "is_known": "bool",
        "record_count": "bigint",
    },
)

FILES = files_table("claude_code_otel")

ALL = (REQUESTS, TOOL_EVENTS, PROMPTS, AUDIT_EVENTS, METRICS, RECORD_TYPES, FILES)
