"""The raw tables of the source claude_code."""

from dlt_pipelines.landing import RawTable
from dlt_pipelines.line_source import files_table

MESSAGES = RawTable(
    "claude_code_messages",
    {
        "load_id": "text",
        "file_id": "text",
        "line_number": "bigint",
        "record_uuid": "text",
        "session_id": "text",
        "observed_at": "timestamp",
        "is_sidechain": "bool",
        "project_fingerprint": "text",
        "project_name": "text",
        "user_id": "text",
        "team_id": "text",
        "message_id": "text",
        "request_id": "text",
        "model": "text",
        "input_tokens": "bigint",
        "cache_creation_input_tokens": "bigint",
        "ephemeral_5m_input_tokens": "bigint",
        "ephemeral_1h_input_tokens": "bigint",
        "cache_read_input_tokens": "bigint",
        "output_tokens": "bigint",
        "web_search_requests": "bigint",
        "service_tier": "text",
        "speed": "text",
        "inference_geo": "text",
        "cost_usd": "usd",
    },
)

PASSES = RawTable(
    "claude_code_passes",
    {
        "load_id": "text",
        "file_id": "text",
        "line_number": "bigint",
        "pass_index": "bigint",
        "record_uuid": "text",
        "message_id": "text",
        "request_id": "text",
        "is_sidechain": "bool",
        "pass_type": "text",
        "model": "text",
        "input_tokens": "bigint",
        "cache_creation_input_tokens": "bigint",
        "ephemeral_5m_input_tokens": "bigint",
        "ephemeral_1h_input_tokens": "bigint",
        "cache_read_input_tokens": "bigint",
        "output_tokens": "bigint",
        "observed_at": "timestamp",
    },
)

TOOL_USES = RawTable(
    "claude_code_tool_uses",
    {
        "load_id": "text",
        "file_id": "text",
        "line_number": "bigint",
        "block_index": "bigint",
        "record_uuid": "text",
        "message_id": "text",
        "request_id": "text",
        "tool_use_id": "text",
        "tool_name": "text",
        "input_fingerprint": "text",
        "observed_at": "timestamp",
    },
)

TOOL_RESULTS = RawTable(
    "claude_code_tool_results",
    {
        "load_id": "text",
        "file_id": "text",
        "line_number": "bigint",
        "block_index": "bigint",
        "tool_use_id": "text",
        "is_error": "bool",
        "denial_kind": "text",
        "observed_at": "timestamp",
    },
)

PROMPTS = RawTable(
    "claude_code_prompts",
    {
        "load_id": "text",
        "file_id": "text",
        "line_number": "bigint",
        "record_uuid": "text",
        "session_id": "text",
        "user_id": "text",
        "team_id": "text",
        "dedup_hash": "text",
        "observed_at": "timestamp",
    },
)

RECORD_TYPES = RawTable(
    "claude_code_record_types",
    {"load_id": "text", "record_type": "text", "is_known": "bool", "record_count": "bigint"},
)

FILES = files_table("claude_code")

ALL = (MESSAGES, PASSES, TOOL_USES, TOOL_RESULTS, PROMPTS, RECORD_TYPES, FILES)
