"""Spans of the GenAI and MCP conventions to typed rows: content is seen here for the last time.

Names: OpenTelemetry semantic conventions v1.41.1 (docs/gen-ai), those of the repository that
continues them, and the older ones that instrumentations still write.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from dlt_pipelines.jsonl_files import JsonlFile
from dlt_pipelines.line_source import Landing
from dlt_pipelines.otlp import Attributes, Signal
from dlt_pipelines.otlp_source import OtlpReader, SignalRows
from dlt_pipelines.plugin import LoadContext, RowCounts
from dlt_pipelines.sources.claude_code_otel.transform import IS_OWN as IS_CLAUDE_CODE
from dlt_pipelines.sources.otel_genai import tables

# what Claude Code reports of itself is another source's
IS_OWN = f"not coalesce({IS_CLAUDE_CODE}, false)"

# Only these are calls of a model: spans of agents and workflows repeat what their children used.
MODEL_OPERATIONS = ("chat", "generate_content", "text_completion", "embeddings")
OTHER_OPERATIONS = (
    "retrieval",
    "create_agent",
    "invoke_agent",
    "invoke_workflow",
    "execute_tool",
    "completion",
)

# Of each column the name of today, then the coming ones, then the older ones.
SPAN: dict[str, Sequence[str]] = {
    "operation": ("gen_ai.operation.name",),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "request_model": ("gen_ai.request.model",),
    "response_model": ("gen_ai.response.model",),
    "response_id": ("gen_ai.response.id",),
    "request_id": ("anthropic.request.id", "gen_ai.request.id"),
    "conversation_id": ("gen_ai.conversation.id", "session.id"),
    "org_id": ("anthropic.organization.id", "organization.id"),
    "workspace_id": ("anthropic.workspace.id",),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
    ),
    "cache_write_5m_tokens": ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens",),
    "cache_write_1h_tokens": ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens",),
    "compaction_input_tokens": ("anthropic.usage.compaction.input_tokens",),
    "compaction_output_tokens": ("anthropic.usage.compaction.output_tokens",),
    "cost_usd": ("gen_ai.usage.cost",),
    "service_tier": (
        "anthropic.response.service_tier",
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
    ),
    "speed": ("anthropic.response.speed",),
    "inference_geo": ("anthropic.response.inference_geo",),
    "finish_reason": ("anthropic.message.stop_reason",),
    "status_code": ("http.response.status_code", "http.status_code"),
    "error_type": ("error.type",),
    "mcp_method": ("mcp.method.name",),
    "tool_name": ("gen_ai.tool.name", "mcp.tool.name"),
    "tool_use_id": ("gen_ai.tool.call.id",),
    "tool_arguments": ("gen_ai.tool.call.arguments",),
    "messages": ("gen_ai.input.messages", "gen_ai.prompt"),
    "jsonrpc_request_id": ("jsonrpc.request.id", "mcp.request.id"),
    "mcp_session_id": ("mcp.session.id",),
    "mcp_protocol_version": ("mcp.protocol.version",),
    "network_transport": ("network.transport",),
    "server_address": ("server.address",),
}
# Older instrumentations write each message, or each of its fields, as an attribute of its own.
NUMBERED = "gen_ai\\.prompt\\.[0-9]+\\.role"
NUMBERED_PROMPT = f"""
    case
        when list_position(keys, 'gen_ai.prompt.0.role') is not null
            then texts[list_position(
                keys,
                'gen_ai.prompt.' || list_max(
                    list_transform(
                        list_filter(
                            list_zip(keys, texts),
                            lambda entry: entry[2] = 'user'
                                and regexp_full_match(entry[1], '{NUMBERED}')
                        ),
                        lambda entry: cast(split_part(entry[1], '.', 3) as bigint)
                    )
                ) || '.content'
            )]
    end
"""
EITHER: dict[str, Sequence[str]] = {
    "email": ("user.email",),
    "person_id": ("enduser.id", "user.id"),
}

COUNTS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "compaction_input_tokens",
    "compaction_output_tokens",
)
TEXTS = (
    "trace_id, span_id, parent_span_id, provider, request_model, response_model, response_id, "
    "request_id, conversation_id, org_id, workspace_id, tool_name, tool_use_id, server_name, "
    "server_address, jsonrpc_request_id, mcp_session_id"
)


def _words(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


SPANS = f"""
    with

    kinds as (
        select
            *,
            coalesce(operation, mcp_method, 'other') as record_type,
            is_own and coalesce(operation in ({_words(MODEL_OPERATIONS)}), false) as is_model,
            -- the two ends of a request of MCP, or what an agent calls a tool's execution
            case
                when not is_own then null
                when mcp_method = 'tools/call'
                    then case when span_kind = '2' then 'server' else 'client' end
                when
                    operation = 'execute_tool' and mcp_method is null
                    and ($counts_unnamed_tools or names_mcp)
                    then 'execution'
            end as span_role,
            is_own and mcp_method is not null and mcp_method != 'tools/call' as is_mcp_request,
            is_model or span_role is not null or is_mcp_request as is_kept,
            coalesce(span_status = '2' or error_type is not null, false) as is_error,
            as_time(start_ns) as started_at,
            as_time(end_ns) as ended_at,
            coalesce(lower(trim(email)), person_id) as user_name,
            case
                when is_model
                    then coalesce(prompt_of(messages), parts_of(numbered_prompt), numbered_prompt)
            end as prompt
        from (
            select
                *,
                coalesce(
                    server_name is not null or mcp_session_id is not null
                    or starts_with(tool_name, 'mcp__'),
                    false
                ) as names_mcp
            from records
        ) as named
    )

    select
        *,
        case
            when not is_kept then null
            when not is_time(started_at) or not is_time(ended_at)
                then 'the time is missing or out of range'
            when trace_id is null or span_id is null
                then 'the span has no id'
            when is_model and not ({" and ".join(f"is_count({name})" for name in COUNTS)})
                then 'a token count is not a whole number'
            when
                is_model and not is_error
                and input_tokens is null and output_tokens is null
                then 'the call has no input_tokens and no output_tokens'
            when is_model and cost_usd is not null and as_usd(cost_usd) is null
                then 'gen_ai.usage.cost is not an amount'
            when is_no_text(concat({TEXTS}))
                then 'an id or a name is not plain text'
        end as problem,
        is_kept and problem is null as is_loaded
    from kinds
"""

PLACE = """
    $load_id as load_id,
    files.file_id,
    rows.line_number,
    rows.record_path,
    rows.trace_id,
    rows.span_id,
    rows.parent_span_id,
    case rows.span_kind
        when '1' then 'internal' when '2' then 'server' when '3' then 'client'
        when '4' then 'producer' when '5' then 'consumer'
    end as span_kind,
    as_word(rows.operation) as operation,
    left(rows.provider, 60) as provider,
    left(rows.service_name, 300) as service_name,
    rows.conversation_id as session_id,
    rows.org_id,
    rows.workspace_id,
    coalesce(people.pseudonym, files.user_id) as user_id,
    coalesce(left(rows.team, 300), files.team_id) as team_id,
    left(rows.project_name, 300) as project,
    rows.is_error,
    as_word(rows.error_type) as error_type,
    rows.started_at,
    rows.ended_at
"""
SOURCES = """
from rows
inner join files on rows.file_index = files.file_index
left join people on rows.user_name = people.user_name
"""

LANDED_MODEL_SPANS = f"""
select
    {PLACE},
    rows.response_id,
    rows.request_id,
    left(rows.request_model, 300) as request_model,
    left(rows.response_model, 300) as response_model,
    {", ".join(f"as_count(rows.{name}) as {name}" for name in COUNTS)},
    as_usd(rows.cost_usd) as cost_usd,
    as_word(rows.service_tier) as service_tier,
    as_word(rows.speed) as speed,
    as_word(rows.inference_geo) as inference_geo,
    coalesce(
        try_cast(rows.status_code as bigint),
        case when regexp_full_match(rows.error_type, '[45][0-9][0-9]')
            then cast(rows.error_type as bigint) end
    ) as status_code,
    as_word(rows.finish_reason) as finish_reason,
    fingerprints.dedup_hash
{SOURCES}
left join fingerprints
    on fingerprints.content_kind = 'prompt' and rows.prompt = fingerprints.content
where rows.is_loaded and rows.is_model
"""

# The name and input as a transcript has them, so that equal calls have equal fingerprints; an input
# that was cut to fit is not the input.
TOOL_CALL = """
    case
        when rows.is_loaded and rows.span_role is not null and json_valid(rows.tool_arguments)
            then case
                when starts_with(rows.tool_name, 'mcp__') then rows.tool_name
                else concat(
                    'mcp__', coalesce(rows.server_name, rows.server_address, 'unknown'),
                    '__', rows.tool_name
                )
            end || chr(31) || rows.tool_arguments
    end
"""
CONTENTS = f"""
select distinct 'tool_input' as content_kind, {TOOL_CALL} as content
from rows
where {TOOL_CALL} is not null
union all
select distinct 'prompt' as content_kind, rows.prompt as content
from rows
where rows.is_loaded and rows.prompt is not null
"""

LANDED_TOOL_SPANS = f"""
select
    {PLACE},
    rows.span_role,
    rows.tool_use_id,
    rows.tool_name,
    rows.server_name,
    rows.server_address,
    rows.jsonrpc_request_id,
    rows.mcp_session_id,
    fingerprints.dedup_hash as input_fingerprint
{SOURCES}
left join fingerprints
    on fingerprints.content_kind = 'tool_input' and {TOOL_CALL} = fingerprints.content
where rows.is_loaded and rows.span_role is not null
"""

LANDED_MCP_REQUESTS = f"""
select
    {PLACE},
    as_word(rows.mcp_method) as mcp_method,
    rows.server_name,
    rows.server_address,
    rows.mcp_session_id,
    as_word(rows.mcp_protocol_version) as mcp_protocol_version,
    as_word(rows.network_transport) as network_transport
{SOURCES}
where rows.is_loaded and rows.is_mcp_request
"""

RECORD_TYPE_TOTALS = f"""
select
    $load_id as load_id,
    signal,
    record_type,
    record_type in ({_words((*MODEL_OPERATIONS, *OTHER_OPERATIONS))})
    or record_type = 'other' or position('/' in record_type) > 0
    or record_type in ('initialize', 'ping') as is_known,
    cast(sum(record_count) as bigint) as record_count
from seen
group by all
"""


class SpanReader(OtlpReader):
    """Turns spans of the conventions into files of the raw tables."""

    def finish(self, files: Sequence[JsonlFile]) -> RowCounts:
        """Write the rest, and what is known once every line is read."""
        self.landing.write(tables.RECORD_TYPES.name, RECORD_TYPE_TOTALS)
        return self.landing.finish(files)


def reader(
    context: LoadContext,
    files: pa.Table,
    team_attributes: Sequence[str],
    project_attributes: Sequence[str],
    server_name_attributes: Sequence[str],
    counts_unnamed_tools: bool,
) -> SpanReader:
    """Return what turns requests of ``files`` into rows."""
    either = {
        **EITHER,
        "team": team_attributes,
        "project_name": project_attributes,
        "server_name": server_name_attributes,
    }
    signals: Mapping[Signal, SignalRows] = {
        "traces": SignalRows(
            Attributes(record=SPAN, either=either, derived={"numbered_prompt": NUMBERED_PROMPT}),
            SPANS,
            {
                tables.MODEL_SPANS.name: LANDED_MODEL_SPANS,
                tables.TOOL_SPANS.name: LANDED_TOOL_SPANS,
                tables.MCP_REQUESTS.name: LANDED_MCP_REQUESTS,
            },
            counted="record_type",
            contents=CONTENTS,
        ),
    }
    parameters = {"counts_unnamed_tools": counts_unnamed_tools}
    landing = Landing(context, "otel_genai", tables.ALL, files, parameters)
    return SpanReader(landing, IS_OWN, signals)
