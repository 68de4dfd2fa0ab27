"""The raw tables of the source otel_genai."""

from dlt_pipelines.landing import ColumnType, RawTable
from dlt_pipelines.line_source import files_table

SPAN: dict[str, ColumnType] = {
    "load_id": "text",
    "file_id": "text",
    "line_number": "bigint",
    "record_path": "text",
    "trace_id": "text",
    "span_id": "text",
    "parent_span_id": "text",
    "span_kind": "text",
    "operation": "text",
    "provider": "text",
    "service_name": "text",
    "session_id": "text",
    "org_id": "text",
    "workspace_id": "text",
    "user_id": "text",
    "team_id": "text",
    "project": "text",
    "is_error": "bool",
    "error_type": "text",
    "started_at": "timestamp",
    "ended_at": "timestamp",
}

MODEL_SPANS = RawTable(
    "otel_genai_model_spans",
    {
        **SPAN,
        "response_id": "text",
        "request_id": "text",
        "request_model": "text",
        "response_model": "text",
        "input_tokens": "bigint",
        "cache_read_tokens": "bigint",
        "cache_write_tokens": "bigint",
        "cache_write_5m_tokens": "bigint",
        "cache_write_1h_tokens": "bigint",
        "output_tokens": "bigint",
        "reasoning_tokens": "bigint",
        "compaction_input_tokens": "bigint",
        "compaction_output_tokens": "bigint",
        "cost_usd": "usd",
        "service_tier": "text",
        "speed": "text",
        "inference_geo": "text",
        "status_code": "bigint",
        "finish_reason": "text",
        "dedup_hash": "text",
    },
)

TOOL_SPANS = RawTable(
    "otel_genai_tool_spans",
    {
        **SPAN,
        "span_role": "text",
        "tool_use_id": "text",
        "tool_name": "text",
        "server_name": "text",
        "server_address": "text",
        "jsonrpc_request_id": "text",
        "mcp_session_id": "text",
        "input_fingerprint": "text",
    },
)

MCP_REQUESTS = RawTable(
    "otel_genai_mcp_requests",
    {
        **SPAN,
        "mcp_method": "text",
        "server_name": "text",
        "server_address": "text",
        "mcp_session_id": "text",
        "mcp_protocol_version": "text",
        "network_transport": "text",
    },
)

RECORD_TYPES = RawTable(
    "otel_genai_record_types",
    {
        "load_id": "text",
        "signal": "text",
        "record_type": "text",
        "is_known": "bool",
        "record_count": "bigint",
    },
)

FILES = files_table("otel_genai")

ALL = (MODEL_SPANS, TOOL_SPANS, MCP_REQUESTS, RECORD_TYPES, FILES)
