"""The raw tables of the source events."""

from dlt_pipelines.landing import ColumnType, RawTable

# What names an event and orders the sights of it, whatever the order of loads.
SIGHT: dict[str, ColumnType] = {
    "load_id": "text",
    "event_source": "text",
    "event_id": "text",
    "received_at": "timestamp",
    "line_number": "bigint",
    "content_hash": "text",
}

EVENTS = RawTable(
    "events",
    {
        **SIGHT,
        "event_type": "text",
        "subject": "text",
        "event_at": "timestamp",
        "data": "text",
    },
)

CALLS = RawTable(
    "events_calls",
    {
        **SIGHT,
        "call_id": "text",
        "called_at": "timestamp",
        "vendor": "text",
        "message_id": "text",
        "request_id": "text",
        "session_id": "text",
        "org_id": "text",
        "workspace_id": "text",
        "api_key_id": "text",
        "project": "text",
        "team_id": "text",
        "user_id": "text",
        "model_id": "text",
        "mcp_name": "text",
        "tool_name": "text",
        "tool_use_id": "text",
        "service_tier": "text",
        "speed": "text",
        "inference_geo": "text",
        "region": "text",
        "user_region": "text",
        "data_classification": "text",
        "status": "text",
        "is_sidechain": "bool",
        "input_tokens": "bigint",
        "cache_write_5m_tokens": "bigint",
        "cache_write_1h_tokens": "bigint",
        "cache_read_tokens": "bigint",
        "output_tokens": "bigint",
        "web_search_requests": "bigint",
        "latency_ms": "bigint",
        "cost_usd": "usd",
        "cost_basis": "text",
        "dedup_hash": "text",
        "input_fingerprint": "text",
    },
)

DRAINED = RawTable("events_drained", {"load_id": "text", "log_id": "text", "position": "text"})

ALL = (EVENTS, CALLS, DRAINED)
