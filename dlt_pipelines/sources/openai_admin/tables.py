"""The raw tables of the source openai_admin."""

from dlt_pipelines.landing import RawTable

USAGE = RawTable(
    "openai_admin_usage",
    {
        "load_id": "text",
        "org_id": "text",
        "report": "text",
        "bucket_key": "text",
        "bucket_start_at": "timestamp",
        "bucket_end_at": "timestamp",
        "bucket_width": "text",
        "group_by": "text",
        "project_id": "text",
        "user_id": "text",
        "api_key_id": "text",
        "model": "text",
        "service_tier": "text",
        "is_batch": "bool",
        "api_source": "text",
        "input_tokens": "bigint",
        "input_uncached_tokens": "bigint",
        "input_cached_tokens": "bigint",
        "input_cache_write_tokens": "bigint",
        "output_tokens": "bigint",
        "input_text_tokens": "bigint",
        "input_audio_tokens": "bigint",
        "input_image_tokens": "bigint",
        "output_text_tokens": "bigint",
        "output_audio_tokens": "bigint",
        "output_image_tokens": "bigint",
        "input_cached_text_tokens": "bigint",
        "input_cached_audio_tokens": "bigint",
        "input_cached_image_tokens": "bigint",
        "num_model_requests": "bigint",
        "num_requests": "bigint",
        "num_sessions": "bigint",
        "images": "bigint",
        "characters": "bigint",
        "seconds": "usd",
        "usage_bytes": "bigint",
        "image_size": "text",
        "image_source": "text",
        "context_level": "text",
        "vector_store_id": "text",
        "content_hash": "text",
        "is_empty": "bool",
        "unknown_fields": "text",
    },
)

COSTS = RawTable(
    "openai_admin_costs",
    {
        "load_id": "text",
        "org_id": "text",
        "report": "text",
        "bucket_key": "text",
        "bucket_start_at": "timestamp",
        "bucket_end_at": "timestamp",
        "group_by": "text",
        "project_id": "text",
        "user_id": "text",
        "api_key_id": "text",
        "api_source": "text",
        "line_item": "text",
        "amount": "usd",
        "exact_amount": "text",
        "currency": "text",
        "quantity": "usd",
        "quantity_unit": "text",
        "content_hash": "text",
        "is_empty": "bool",
        "unknown_fields": "text",
    },
)

AUDIT_LOGS = RawTable(
    "openai_admin_audit_logs",
    {
        "load_id": "text",
        "org_id": "text",
        "event_id": "text",
        "event_type": "text",
        "occurred_at": "timestamp",
        "project_id": "text",
        "project_name": "text",
        "actor_type": "text",
        "actor_person_id": "text",
        "actor_user_id": "text",
        "actor_api_key_id": "text",
        "actor_service_account_id": "text",
        "ip_fingerprint": "text",
        "resource_type": "text",
        "resource_id": "text",
        "reason_code": "text",
        "details_json": "text",
        "unknown_fields": "text",
    },
)

PROJECTS = RawTable(
    "openai_admin_projects",
    {
        "load_id": "text",
        "org_id": "text",
        "project_id": "text",
        "name": "text",
        "status": "text",
        "created_at": "timestamp",
        "archived_at": "timestamp",
        "content_hash": "text",
        "is_deleted": "bool",
        "unknown_fields": "text",
    },
)

USERS = RawTable(
    "openai_admin_users",
    {
        "load_id": "text",
        "org_id": "text",
        "user_id": "text",
        "person_id": "text",
        "role": "text",
        "added_at": "timestamp",
        "content_hash": "text",
        "is_deleted": "bool",
        "unknown_fields": "text",
    },
)

PROJECT_USERS = RawTable(
    "openai_admin_project_users",
    {
        "load_id": "text",
        "org_id": "text",
        "project_id": "text",
        "user_id": "text",
        "person_id": "text",
        "role": "text",
        "added_at": "timestamp",
        "content_hash": "text",
        "is_deleted": "bool",
        "unknown_fields": "text",
    },
)

SERVICE_ACCOUNTS = RawTable(
    "openai_admin_service_accounts",
    {
        "load_id": "text",
        "org_id": "text",
        "project_id": "text",
        "service_account_id": "text",
        "role": "text",
        "created_at": "timestamp",
        "content_hash": "text",
        "is_deleted": "bool",
        "unknown_fields": "text",
    },
)

API_KEYS = RawTable(
    "openai_admin_api_keys",
    {
        "load_id": "text",
        "org_id": "text",
        "api_key_id": "text",
        "key_kind": "text",
        "project_id": "text",
        "owner_type": "text",
        "owner_user_id": "text",
        "owner_person_id": "text",
        "owner_service_account_id": "text",
        "owner_role": "text",
        "created_at": "timestamp",
        "content_hash": "text",
        "is_deleted": "bool",
        "unknown_fields": "text",
    },
)

WINDOWS = RawTable(
    "openai_admin_windows",
    {
        "load_id": "text",
        "org_id": "text",
        "report": "text",
        "bucket_width": "text",
        "group_by": "text",
        "window_start_at": "timestamp",
        "window_end_at": "timestamp",
        "settled_until_at": "timestamp",
    },
)

ALL = (
    USAGE,
    COSTS,
    AUDIT_LOGS,
    PROJECTS,
    USERS,
    PROJECT_USERS,
    SERVICE_ACCOUNTS,
    API_KEYS,
    WINDOWS,
)
