"""The raw tables of the source litellm."""

from dlt_pipelines.landing import RawTable

SPEND_LOGS = RawTable(
    "litellm_spend_logs",
    {
        "load_id": "text",
        "request_id": "text",
        "message_id": "text",
        "litellm_call_id": "text",
        "call_type": "text",
        "status": "text",
        "error_code": "text",
        "error_class": "text",
        "api_key_id": "text",
        "user_id": "text",
        "end_user_id": "text",
        "team_id": "text",
        "org_id": "text",
        "project": "text",
        "session_id": "text",
        "agent_id": "text",
        "dedup_hash": "text",
        "model": "text",
        "model_group": "text",
        "custom_llm_provider": "text",
        "service_tier": "text",
        "speed": "text",
        "inference_geo": "text",
        "region": "text",
        "is_cache_hit": "bool",
        "is_batch": "bool",
        "used_client_oauth_token": "bool",
        "attempted_retries": "bigint",
        "attempted_fallbacks": "bigint",
        "prompt_tokens": "bigint",
        "completion_tokens": "bigint",
        "usage_prompt_tokens": "bigint",
        "usage_completion_tokens": "bigint",
        "usage_input_tokens": "bigint",
        "usage_output_tokens": "bigint",
        "cache_read_input_tokens": "bigint",
        "cached_tokens": "bigint",
        "cache_creation_input_tokens": "bigint",
        "ephemeral_5m_input_tokens": "bigint",
        "ephemeral_1h_input_tokens": "bigint",
        "web_search_requests": "bigint",
        "spend_usd": "usd",
        "original_cost_usd": "usd",
        "total_cost_usd": "usd",
        "discount_amount_usd": "usd",
        "margin_amount_usd": "usd",
        "request_duration_ms": "bigint",
        "started_at": "timestamp",
        "ended_at": "timestamp",
        "first_token_at": "timestamp",
        "written_at": "timestamp",
        "unknown_fields": "text",
        "content_hash": "text",
    },
)

TOOL_CALLS = RawTable(
    "litellm_tool_calls",
    {
        "load_id": "text",
        "request_id": "text",
        "litellm_call_id": "text",
        "status": "text",
        "error_code": "text",
        "error_class": "text",
        "api_key_id": "text",
        "user_id": "text",
        "end_user_id": "text",
        "team_id": "text",
        "org_id": "text",
        "project": "text",
        "session_id": "text",
        "mcp_name": "text",
        "tool_name": "text",
        "input_fingerprint": "text",
        "spend_usd": "usd",
        "request_duration_ms": "bigint",
        "started_at": "timestamp",
        "ended_at": "timestamp",
        "written_at": "timestamp",
        "unknown_fields": "text",
        "content_hash": "text",
    },
)

CALL_TYPES = RawTable(
    "litellm_call_types",
    {"load_id": "text", "call_type": "text", "is_read": "bool", "record_count": "bigint"},
)

KEYS = RawTable(
    "litellm_keys",
    {
        "load_id": "text",
        "key_id": "text",
        "person_id": "text",
        "team_id": "text",
        "org_id": "text",
        "status": "text",
        "valid_from_at": "timestamp",
        "content_hash": "text",
        "is_deleted": "bool",
    },
)

USERS = RawTable(
    "litellm_users",
    {
        "load_id": "text",
        "user_id": "text",
        "person_id": "text",
        "team_id": "text",
        "org_id": "text",
        "role": "text",
        "valid_from_at": "timestamp",
        "content_hash": "text",
        "is_deleted": "bool",
    },
)

TEAMS = RawTable(
    "litellm_teams",
    {
        "load_id": "text",
        "team_id": "text",
        "team_name": "text",
        "org_id": "text",
        "status": "text",
        "valid_from_at": "timestamp",
        "content_hash": "text",
        "is_deleted": "bool",
    },
)

AUDIT_LOGS = RawTable(
    "litellm_audit_logs",
    {
        "load_id": "text",
        "event_id": "text",
        "occurred_at": "timestamp",
        "actor_kind": "text",
        "actor_id": "text",
        "action": "text",
        "resource_type": "text",
        "resource_id": "text",
        "before_json": "text",
        "after_json": "text",
        "content_hash": "text",
    },
)

ALL = (SPEND_LOGS, TOOL_CALLS, CALL_TYPES, KEYS, USERS, TEAMS, AUDIT_LOGS)
