"""What a sender may tell of a call in an event ``com.mindweave.mcp.call``, as JSON Schema.

Members that are not named here are left out before anything is stored. ``x-privacy`` says what
becomes a pseudonym or a fingerprint instead: see `dlt_pipelines.event_gate`.
"""

from collections.abc import Mapping
from typing import Any

CALL = "com.mindweave.mcp.call"

MOST = 10**12 - 1
NO_CONTROL_CHARACTERS = "^[^\\u0000-\\u001f\\u007f]*$"
STATUSES = ("success", "error", "rate_limited", "incomplete")
COST_BASES = ("client_estimate", "provider_estimate", "internal_price")


def _name(description: str, **more: Any) -> dict[str, Any]:
    """Return the schema of a text that names something; required ones must say something."""
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": 300,
        "pattern": NO_CONTROL_CHARACTERS,
        "description": description,
        **more,
    }


def _optional(description: str, **more: Any) -> dict[str, Any]:
    return _name(description, type=["string", "null"], minLength=0, **more)


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": MOST, "description": description}


def _optional_count(description: str) -> dict[str, Any]:
    return {**_count(description), "type": ["integer", "null"]}


CALL_SCHEMA: Mapping[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": CALL,
    "description": "One answer of a model, on behalf of an MCP server or not, and what it used.",
    "type": "object",
    "required": ["call_id", "timestamp", "model_id", "status", "input_tokens", "output_tokens"],
    "properties": {
        "call_id": _name(
            "The sender's own id of the call, unique within the event's source. Other sources know "
            "the call by vendor and message_id or request_id: tell them where you can."
        ),
        "timestamp": {
            "type": "string",
            "format": "date-time",
            "maxLength": 64,
            "pattern": "^20[2-9][0-9]-",
            "description": "When the call was made, as RFC 3339 with a zone.",
        },
        "model_id": _name("The model, by any name that the vendor or a gateway gives it."),
        "status": {"enum": [*STATUSES], "description": "How it ended."},
        "input_tokens": _count(
            "Uncached input tokens: neither read from a cache nor written to one. The five kinds "
            "are disjoint, and are added up."
        ),
        "output_tokens": _count("Output tokens, reasoning included."),
        "cache_write_5m_tokens": _optional_count("Input tokens written to the 5-minute cache."),
        "cache_write_1h_tokens": _optional_count("Input tokens written to the 1-hour cache."),
        "cache_read_tokens": _optional_count("Input tokens read from the cache."),
        "web_search_requests": _optional_count("Web searches that succeeded."),
        "latency_ms": _optional_count("Milliseconds from call to answer."),
        "cost": {
            "anyOf": [
                {"type": "null"},
                {"type": "number", "minimum": 0, "exclusiveMaximum": 10**15},
                {"type": "string", "pattern": "^[0-9]{1,15}(\\.[0-9]{1,15})?$"},
            ],
            "description": "What it cost in USD, as a number or as decimal text; every digit "
            "counts. It is kept beside what the price book makes of the tokens.",
        },
        "cost_basis": {
            "enum": [*COST_BASES, None],
            "description": "Whose number the cost is; without a word a client's estimate.",
        },
        "vendor": _optional("Who sold the model, such as anthropic or openai."),
        "message_id": _optional("The vendor's id of the answer."),
        "request_id": _optional("The vendor's id of the request."),
        "session_id": _optional("The session or conversation that the call is part of."),
        "org_id": _optional("The vendor's organization."),
        "workspace_id": _optional("The vendor's workspace."),
        "api_key_id": _optional("The id of the API key; never the key."),
        "project": _optional("What the work belongs to."),
        "team_id": _optional("The team that the cost belongs to."),
        "user_id": _optional(
            "Who caused it: an e-mail address, else an id. Kept as a pseudonym only.",
            **{"x-privacy": "person"},
        ),
        "mcp_name": _optional("The MCP server that the call used; null where it used none."),
        "tool_name": _optional("The tool of that server."),
        "tool_use_id": _optional("The vendor's id of the tool's use."),
        "service_tier": _optional("The tier that served it, as the vendor says."),
        "speed": {"enum": ["standard", "fast", None], "description": "As served."},
        "inference_geo": _optional("Where inference ran, as the vendor says."),
        "region": _optional("The cloud region."),
        "user_region": _optional("Where the user is."),
        "data_classification": _optional("The class of the data that was sent."),
        "prompt": {
            "type": ["string", "null"],
            "description": "What a person asked of the model: the text of the last message. Kept "
            "as a fingerprint only.",
            "x-privacy": "prompt",
        },
        "tool_input": {
            "type": ["object", "string", "null"],
            "description": "What tool_name of mcp_name was called with, as JSON or its text. Kept "
            "as a fingerprint only.",
            "x-privacy": "tool_input",
        },
        "is_sidechain": {
            "type": ["boolean", "null"],
            "description": "Whether a sub-agent made the call.",
        },
    },
}
