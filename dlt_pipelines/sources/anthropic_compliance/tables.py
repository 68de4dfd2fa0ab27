"""The raw tables of the source anthropic_compliance."""

from dlt_pipelines.landing import RawTable

AUDIT_EVENTS = RawTable(
    "anthropic_compliance_events",
    {
        "load_id": "text",
        "origin": "text",
        "event_id": "text",
        "created_at": "timestamp",
        "occurred_at": "timestamp",
        "org_id": "text",
        "org_uuid": "text",
        "workspace_id": "text",
        "actor_kind": "text",
        "actor_id": "text",
        "action": "text",
        "resource_type": "text",
        "resource_id": "text",
        "reason_code": "text",
        "before_json": "text",
        "after_json": "text",
        "client_platform": "text",
        "unparsed_fields": "text",
    },
)

CURSORS = RawTable(
    "anthropic_compliance_cursors",
    {
        "load_id": "text",
        "newest_id": "text",
        "oldest_id": "text",
        "is_history_read": "bool",
        "recorded_at": "timestamp",
    },
)

ALL = (AUDIT_EVENTS, CURSORS)
