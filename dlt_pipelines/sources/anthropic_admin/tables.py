"""The raw tables of the source anthropic_admin."""

from dlt_pipelines.landing import ColumnType, RawTable

BUCKET: dict[str, ColumnType] = {
    "load_id": "text",
    "org_id": "text",
    "report": "text",
    "endpoint": "text",
    "bucket_key": "text",
    "bucket_start_at": "timestamp",
    "bucket_end_at": "timestamp",
    "bucket_width": "text",
    "group_by": "text",
    "content_hash": "text",
    "is_empty": "bool",
    "data_refreshed_at": "timestamp",
}

GROUP: dict[str, ColumnType] = {
    "workspace_id": "text",
    "api_key_id": "text",
    "actor_type": "text",
    "user_id": "text",
    "service_account_id": "text",
    "model": "text",
    "product": "text",
    "service_tier": "text",
    "context_window": "text",
    "inference_geo": "text",
    "speed": "text",
    "other_groups": "text",
}

USAGE = RawTable(
    "anthropic_admin_usage",
    {
        **BUCKET,
        **GROUP,
        "uncached_input_tokens": "bigint",
        "ephemeral_5m_input_tokens": "bigint",
        "ephemeral_1h_input_tokens": "bigint",
        "cache_read_input_tokens": "bigint",
        "output_tokens": "bigint",
        "total_tokens": "bigint",
        "web_search_requests": "bigint",
        "requests": "bigint",
        "unknown_fields": "text",
    },
)

COSTS = RawTable(
    "anthropic_admin_costs",
    {
        **BUCKET,
        **GROUP,
        "cost_type": "text",
        "token_type": "text",
        "description": "text",
        "requests": "bigint",
        "amount_usd": "usd",
        "list_amount_usd": "usd",
        "currency": "text",
        "unknown_fields": "text",
    },
)

ACTOR: dict[str, ColumnType] = {
    "actor_type": "text",
    "user_id": "text",
    "api_key_name_fingerprint": "text",
    "customer_type": "text",
    "subscription_type": "text",
    "terminal_type": "text",
    "is_remote": "bool",
}

CLAUDE_CODE_USAGE = RawTable(
    "anthropic_admin_claude_code_usage",
    {
        **BUCKET,
        **ACTOR,
        "model": "text",
        "input_tokens": "bigint",
        "cache_creation_tokens": "bigint",
        "cache_read_tokens": "bigint",
        "output_tokens": "bigint",
        "estimated_cost_usd": "usd",
        "unknown_fields": "text",
    },
)

CLAUDE_CODE_ACTIVITY = RawTable(
    "anthropic_admin_claude_code_activity",
    {
        **BUCKET,
        **ACTOR,
        "sessions": "bigint",
        "lines_added": "bigint",
        "lines_removed": "bigint",
        "commits": "bigint",
        "pull_requests": "bigint",
        "edit_accepted": "bigint",
        "edit_rejected": "bigint",
        "multi_edit_accepted": "bigint",
        "multi_edit_rejected": "bigint",
        "write_accepted": "bigint",
        "write_rejected": "bigint",
        "notebook_edit_accepted": "bigint",
        "notebook_edit_rejected": "bigint",
        "unknown_fields": "text",
    },
)

ENTITY: dict[str, ColumnType] = {
    "load_id": "text",
    "org_id": "text",
    "content_hash": "text",
    "is_deleted": "bool",
}

USERS = RawTable(
    "anthropic_admin_users",
    {
        **ENTITY,
        "user_id": "text",
        "person_id": "text",
        "role": "text",
        "added_at": "timestamp",
        "unknown_fields": "text",
    },
)

WORKSPACES = RawTable(
    "anthropic_admin_workspaces",
    {
        **ENTITY,
        "workspace_id": "text",
        "name": "text",
        "team_id": "text",
        "tags": "text",
        "created_at": "timestamp",
        "archived_at": "timestamp",
        "workspace_geo": "text",
        "default_inference_geo": "text",
        "allowed_inference_geos": "text",
        "unknown_fields": "text",
    },
)

WORKSPACE_MEMBERS = RawTable(
    "anthropic_admin_workspace_members",
    {
        **ENTITY,
        "workspace_id": "text",
        "user_id": "text",
        "workspace_role": "text",
        "unknown_fields": "text",
    },
)

API_KEYS = RawTable(
    "anthropic_admin_api_keys",
    {
        **ENTITY,
        "api_key_id": "text",
        "scope_type": "text",
        "workspace_id": "text",
        "principal_type": "text",
        "principal_id": "text",
        "person_id": "text",
        "created_by_type": "text",
        "created_by_id": "text",
        "status": "text",
        "name_fingerprint": "text",
        "created_at": "timestamp",
        "expires_at": "timestamp",
        "unknown_fields": "text",
    },
)

SERVICE_ACCOUNTS = RawTable(
    "anthropic_admin_service_accounts",
    {
        **ENTITY,
        "service_account_id": "text",
        "created_at": "timestamp",
        "unknown_fields": "text",
    },
)

PROGRESS = RawTable(
    "anthropic_admin_progress",
    {
        "load_id": "text",
        "org_id": "text",
        "report": "text",
        "endpoint": "text",
        "bucket_width": "text",
        "group_by": "text",
        "read_until_at": "timestamp",
    },
)

ALL = (
    USAGE,
    COSTS,
    CLAUDE_CODE_USAGE,
    CLAUDE_CODE_ACTIVITY,
    USERS,
    WORKSPACES,
    WORKSPACE_MEMBERS,
    API_KEYS,
    SERVICE_ACCOUNTS,
    PROGRESS,
)
