"""Claude Code's telemetry to typed rows: content is seen here for the last time.

Names and units: https://code.claude.com/docs/en/monitoring-usage. Numbers come as integers,
doubles or texts, by version and exporter.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from dlt_pipelines.jsonl_files import JsonlFile
from dlt_pipelines.line_source import Landing
from dlt_pipelines.otlp import Attributes, Signal
from dlt_pipelines.otlp_source import OtlpConfig, OtlpReader, SignalRows
from dlt_pipelines.plugin import LoadContext, RowCounts
from dlt_pipelines.privacy import fingerprint_sql
from dlt_pipelines.sources.claude_code_otel import tables

IS_OWN = (
    "starts_with(service_name, 'claude-code') "
    "or starts_with(scope_name, 'com.anthropic.claude_code')"
)

REQUEST_EVENTS = ("api_request", "api_error", "api_retries_exhausted", "api_refusal")
AUDIT_EVENTS = (
    "auth",
    "permission_mode_changed",
    "mcp_server_connection",
    "plugin_installed",
    "tool_decision",
)
PROMPT_EVENT = "user_prompt"
# known, and of no use for cost or governance yet
OTHER_EVENTS = (
    "assistant_response",
    "compaction",
    "subagent_completed",
    "plugin_loaded",
    "skill_activated",
    "hook_registered",
    "hook_execution_start",
    "hook_execution_complete",
    "hook_plugin_metrics",
    "at_mention",
    "api_request_body",
    "api_response_body",
    "internal_error",
    "feedback_survey",
)
REQUEST_SPANS = ("llm_request",)
TOOL_SPANS = ("tool",)
OTHER_SPANS = ("interaction", "tool.blocked_on_user", "tool.execution", "hook")
METRICS = (
    "session.count",
    "lines_of_code.count",
    "pull_request.count",
    "commit.count",
    "cost.usage",
    "token.usage",
    "code_edit_tool.decision",
    "active_time.total",
)


def _words(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


# The names of today first, then those of older versions.
COMMON: dict[str, Sequence[str]] = {
    "session_id": ("session.id", "session_id"),
    "org_id": ("organization.id", "organization_id"),
    "email": ("user.email", "user_email"),
    "account_id": ("user.account_id", "user.account_uuid"),
    "installation_id": ("user.id", "user_id"),
}
PLAIN: dict[str, Sequence[str]] = {
    "prompt_id": ("prompt.id",),
    "event_sequence": ("event.sequence",),
    "duration_ms": ("duration_ms",),
    "success": ("success",),
}
REQUEST: dict[str, Sequence[str]] = {
    "model": ("model", "gen_ai.request.model", "gen_ai.response.model"),
    "input_tokens": ("input_tokens", "gen_ai.usage.input_tokens"),
    "output_tokens": ("output_tokens", "gen_ai.usage.output_tokens"),
    "cache_read_tokens": ("cache_read_tokens", "cache_read_input_tokens"),
    "cache_creation_tokens": ("cache_creation_tokens", "cache_creation_input_tokens"),
    "cost_usd": ("cost_usd",),
    "cost_micros": ("cost_usd_micros",),
    "request_id": ("request_id", "gen_ai.response.id"),
    "client_request_id": ("client_request_id",),
    "status_code": ("status_code",),
    "attempt": ("attempt",),
    "speed": ("speed",),
    "query_source": ("query_source",),
}
TOOL: dict[str, Sequence[str]] = {
    "tool_name": ("tool_name", "gen_ai.tool.name"),
    "tool_use_id": ("tool_use_id", "gen_ai.tool.call.id"),
    "tool_parameters": ("tool_parameters",),
    "tool_input": ("tool_input",),
    "mcp_server": ("mcp_server_name", "mcp_server.name"),
    "mcp_tool": ("mcp_tool_name", "mcp_tool.name"),
    "mcp_server_scope": ("mcp_server_scope",),
    "error_type": ("error_type", "error.type"),
    "tool_input_size_bytes": ("tool_input_size_bytes",),
    "tool_result_size_bytes": ("tool_result_size_bytes", "tool_result_size"),
}
PROMPT: dict[str, Sequence[str]] = {
    "prompt": ("prompt",),
    "command_name": ("command_name",),
}
GOVERNANCE: dict[str, Sequence[str]] = {
    "decision": ("decision",),
    "decision_source": ("source", "decision_source"),
    "tool_source": ("tool_source",),
    "action_word": ("action",),
    "status_word": ("status",),
    "error_code": ("error_code", "error_category"),
    "transport_type": ("transport_type",),
    "server_scope": ("server_scope",),
    "server_name": ("server_name",),
    "plugin_name": ("plugin.name", "plugin_name"),
    "mode_before": ("from_mode", "previous_mode"),
    "mode_after": ("to_mode", "mode"),
}
POINT: dict[str, Sequence[str]] = {
    "metric_type": ("type", "decision", "start_type"),
    "model": ("model",),
    "query_source": ("query_source",),
    "speed": ("speed",),
    "mcp_server": ("mcp_server.name",),
}

# Who: a person by e-mail, else the account; then whose the files are said to be; an installation's
# random id only where nothing better is known.
USER_NAME = "coalesce(lower(trim(email)), account_id, installation_id) as user_name"

# An MCP tool, as far as its names are not hidden: mcp__<server>__<tool>, or in the parameters. A
# server that the user set up hides as `custom`.
TOOL_NAMES = r"""
        case when json_valid(tool_parameters) then tool_parameters end as readable_parameters,
        coalesce(
            nullif(mcp_server, 'custom'),
            json_extract_string(readable_parameters, '$.mcp_server_name'),
            nullif(regexp_extract(tool_name, '^mcp__(.+?)__.', 1), '')
        ) as mcp_server_name,
        coalesce(
            nullif(mcp_tool, 'custom'),
            json_extract_string(readable_parameters, '$.mcp_tool_name'),
            nullif(regexp_extract(tool_name, '^mcp__.+?__(.+)$', 1), '')
        ) as mcp_tool_name,
        coalesce(
            tool_name = 'mcp_tool' or starts_with(tool_name, 'mcp__')
            or mcp_server_scope is not null or mcp_server_name is not null,
            false
        ) as is_mcp
"""

COUNTS = (
    "event_sequence",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
    "cost_micros",
    "duration_ms",
)
# what stands for a prompt that its client does not tell, and what a person typed to the client
IS_PROMPT = f"""
    is_own and coalesce(
        event = '{PROMPT_EVENT}' and prompt != '<REDACTED>' and command_name is null
        and not regexp_matches(prompt, '^\\s*/[A-Za-z][A-Za-z0-9:_-]*(\\s|$)'),
        false
    )
"""
TEXTS = "session_id, org_id, request_id, client_request_id, model, trace_id, span_id, prompt_id"

# in this order of questions the first that is answered with yes names the problem
PROBLEM = f"""
        case
            when not is_kept then null
            when not is_time(ended_at) or not is_time(started_at)
                then 'the time is missing or out of range'
            when not ({" and ".join(f"is_count({name})" for name in COUNTS)})
                then 'a count is not a whole number'
            when
                is_request and not is_error
                and (input_tokens is null or output_tokens is null) and needs_tokens
                then 'the request has no input_tokens or no output_tokens'
            when cost_usd is not null and as_usd(cost_usd) is null
                then 'cost_usd is not an amount'
            when is_no_text(concat({TEXTS}, tool_use_id, mcp_server_name, mcp_tool_name))
                then 'an id or a name is not plain text'
        end as problem,
        is_kept and problem is null as is_loaded
"""

# the last word of claude_code.<event>, which some versions write without the first
EVENT = r"""
    regexp_replace(coalesce(event_word, nullif(event_name, ''), body), '^claude_code\.', '')
"""

LOGS = f"""
    with

    named as (
        select
            *,
            {TOOL_NAMES},
            {USER_NAME}
        from records
    ),

    kinds as (
        select
            * exclude (decision_source),
            as_word(decision_source) as decision_source,
            is_own and coalesce(event in ({_words(REQUEST_EVENTS)}), false) as is_request,
            is_own and is_mcp
            and coalesce(
                event = 'tool_result' or (event = 'tool_decision' and decision = 'reject'), false
            ) as is_tool,
            is_own and coalesce(event in ({_words(AUDIT_EVENTS)}), false) as is_audit,
            {IS_PROMPT} as is_prompt,
            is_request or is_tool or is_audit or is_prompt as is_kept,
            coalesce(event in ('api_error', 'api_retries_exhausted', 'api_refusal'), false)
                as is_error,
            event = 'api_request' as needs_tokens,
            coalesce(
                as_time(time_ns),
                as_time(observed_ns),
                make_timestamp(epoch_us(try_cast(event_timestamp as timestamptz)))
            ) as ended_at,
            -- an event is written when the request or the tool is done
            ended_at - to_milliseconds(
                case when is_count(duration_ms) then coalesce(as_count(duration_ms), 0) else 0 end
            ) as started_at
        from named
    )

    select
        *,
        {PROBLEM}
    from kinds
"""

SPANS = f"""
    with

    named as (
        select
            *,
            regexp_replace(span_name, '^claude_code\\.', '') as event,
            {TOOL_NAMES},
            {USER_NAME}
        from records
    ),

    kinds as (
        select
            *,
            is_own and coalesce(event in ({_words(REQUEST_SPANS)}), false) as is_request,
            is_own and is_mcp and coalesce(event in ({_words(TOOL_SPANS)}), false) as is_tool,
            false as is_audit,
            is_request or is_tool as is_kept,
            coalesce(
                span_status = '2' or success = 'false' or try_cast(status_code as bigint) >= 400,
                false
            ) as is_error,
            true as needs_tokens,
            cast(null as varchar) as decision,
            as_time(start_ns) as started_at,
            as_time(end_ns) as ended_at
        from named
    )

    select
        *,
        {PROBLEM}
    from kinds
"""

POINTS = f"""
    with

    kinds as (
        select
            *,
            regexp_replace(metric_name, '^claude_code\\.', '') as metric,
            is_own and starts_with(metric_name, 'claude_code.')
            and (value_text is not null or structure_problem is null)
            and coalesce(point_count > 0, false) as is_kept,
            as_time(time_ns) as observed_at,
            as_time(start_ns) as started_at,
            {USER_NAME}
        from records
    )

    select
        *,
        case
            when not is_kept then null
            when not is_time(observed_at) then 'the time is missing or out of range'
            when value_text is null or as_usd(value_text) is null or as_usd(value_text) < 0
                then 'the value is not a number of 0 or more'
            when is_no_text(concat(session_id, org_id, model, metric_type, speed, query_source))
                then 'an id or a name is not plain text'
        end as problem,
        is_kept and problem is null as is_loaded
    from kinds
"""

PERSON = """coalesce(
        case when rows.email is null and rows.account_id is null then files.user_id end,
        people.pseudonym
    )"""
TEAM = "coalesce(left(rows.team, 300), files.team_id)"
PLACE = f"""
    $load_id as load_id,
    files.file_id,
    rows.line_number,
    rows.record_path,
    rows.{{name}} as {{column}},
    rows.session_id,
    rows.org_id,
    {PERSON} as user_id,
    {TEAM} as team_id,
    left(rows.project_name, 300) as project
"""
SOURCES = """
from rows
inner join files on rows.file_index = files.file_index
left join people on rows.user_name = people.user_name
"""
METRIC_PLACE = PLACE.format(name="metric", column="metric_name")
EVENT_PLACE = PLACE.format(name="event", column="event_name")

LANDED_REQUESTS = f"""
select
    {EVENT_PLACE},
    as_count(rows.event_sequence) as event_sequence,
    rows.prompt_id,
    rows.request_id,
    rows.client_request_id,
    rows.trace_id,
    rows.span_id,
    left(rows.model, 300) as model,
    as_count(rows.input_tokens) as input_tokens,
    as_count(rows.output_tokens) as output_tokens,
    as_count(rows.cache_read_tokens) as cache_read_tokens,
    as_count(rows.cache_creation_tokens) as cache_creation_tokens,
    coalesce(
        cast(cast(as_count(rows.cost_micros) as decimal(18, 0)) * 0.000001 as decimal(38, 15)),
        as_usd(rows.cost_usd)
    ) as cost_usd,
    as_count(rows.duration_ms) as duration_ms,
    try_cast(rows.status_code as bigint) as status_code,
    rows.is_error,
    try_cast(rows.attempt as bigint) as attempt,
    as_word(rows.speed) as speed,
    as_word(rows.query_source) as query_source,
    as_word(rows.service_version) as service_version,
    rows.started_at,
    rows.ended_at
{SOURCES}
where rows.is_loaded and rows.is_request
"""

# The name and input as a transcript has them, so that equal calls have equal fingerprints; an input
# that was cut to fit is not the input.
TOOL_CALL = """
    case
        when rows.is_loaded and rows.is_tool and json_valid(rows.tool_input)
            then 'mcp__' || rows.mcp_server_name || '__' || rows.mcp_tool_name || chr(31)
                || rows.tool_input
    end
"""
TOOL_CONTENTS = f"""
select distinct 'tool_input' as content_kind, {TOOL_CALL} as content
from rows
where {TOOL_CALL} is not null
"""
CONTENTS = f"""
{TOOL_CONTENTS}
union all
select distinct 'prompt' as content_kind, rows.prompt as content
from rows
where rows.is_loaded and rows.is_prompt
"""

LANDED_TOOL_EVENTS = f"""
select
    {EVENT_PLACE},
    as_count(rows.event_sequence) as event_sequence,
    rows.prompt_id,
    left(rows.tool_use_id, 300) as tool_use_id,
    left(rows.mcp_server_name, 300) as mcp_server_name,
    left(rows.mcp_tool_name, 300) as mcp_tool_name,
    as_word(rows.mcp_server_scope) as mcp_server_scope,
    fingerprints.dedup_hash as input_fingerprint,
    case
        when rows.success = 'true' then true
        when rows.success = 'false' or rows.is_error then false
        when rows.event = 'tool' then true
    end as is_success,
    coalesce(rows.decision = 'reject', false) as is_denied,
    as_word(rows.error_type) as error_type,
    as_count(rows.duration_ms) as duration_ms,
    try_cast(rows.tool_input_size_bytes as bigint) as tool_input_size_bytes,
    try_cast(rows.tool_result_size_bytes as bigint) as tool_result_size_bytes,
    rows.trace_id,
    rows.span_id,
    rows.started_at,
    rows.ended_at
{SOURCES}
left join fingerprints
    on fingerprints.content_kind = 'tool_input' and {TOOL_CALL} = fingerprints.content
where rows.is_loaded and rows.is_tool
"""

LANDED_PROMPTS = f"""
select
    $load_id as load_id,
    files.file_id,
    rows.line_number,
    rows.record_path,
    rows.prompt_id,
    rows.session_id,
    {PERSON} as user_id,
    {TEAM} as team_id,
    fingerprints.dedup_hash,
    rows.ended_at as observed_at
{SOURCES}
left join fingerprints
    on fingerprints.content_kind = 'prompt' and rows.prompt = fingerprints.content
where rows.is_loaded and rows.is_prompt
"""

LANDED_AUDIT_EVENTS = f"""
select
    {EVENT_PLACE},
    as_count(rows.event_sequence) as event_sequence,
    left(rows.tool_use_id, 300) as tool_use_id,
    left(rows.tool_name, 300) as tool_name,
    left(coalesce(rows.server_name, rows.mcp_server_name), 300) as mcp_server_name,
    left(rows.plugin_name, 300) as plugin_name,
    as_word(coalesce(rows.action_word, rows.decision)) as action,
    as_word(coalesce(rows.status_word, rows.success)) as status,
    rows.decision_source,
    as_word(rows.error_code) as error_code,
    as_word(rows.mode_before) as mode_before,
    as_word(rows.mode_after) as mode_after,
    rows.ended_at as occurred_at
{SOURCES}
where rows.is_loaded and rows.is_audit
"""

# Everything that tells one counter from another, in an order of its own.
SERIES = """
    coalesce(rows.metric_name, '') || chr(31) || coalesce(rows.session_id, '')
    || chr(31) || coalesce(rows.user_name, '') || chr(31) || coalesce(rows.process, '')
    || chr(31) || array_to_string(
        list_sort(
            list_transform(
                list_zip(rows.keys, rows.texts),
                lambda entry: entry[1] || chr(30) || coalesce(entry[2], '')
            )
        ),
        chr(31)
    )
"""

LANDED_METRICS = f"""
select
    {METRIC_PLACE},
    rows.metric_unit,
    case rows.temporality when '1' then 'delta' when '2' then 'cumulative' else 'unspecified' end
        as temporality,
    left({fingerprint_sql("series", SERIES)}, 32) as series_key,
    as_word(rows.metric_type) as metric_type,
    left(rows.model, 300) as model,
    as_word(rows.query_source) as query_source,
    as_word(rows.speed) as speed,
    left(rows.mcp_server, 300) as mcp_server_name,
    as_usd(rows.value_text) as metric_value,
    rows.started_at,
    rows.observed_at,
    date_trunc('minute', rows.observed_at) as bucket_start_at,
    date_trunc('minute', rows.observed_at) + interval 1 minute as bucket_end_at
{SOURCES}
where rows.is_loaded
"""


KNOWN = {
    "logs": (*REQUEST_EVENTS, "tool_result", PROMPT_EVENT, *AUDIT_EVENTS, *OTHER_EVENTS),
    "traces": (*REQUEST_SPANS, *TOOL_SPANS, *OTHER_SPANS),
    "metrics": METRICS,
}

IS_KNOWN = " or ".join(
    f"(signal = '{signal}' and record_type in ({_words(names)}))" for signal, names in KNOWN.items()
)

RECORD_TYPE_TOTALS = f"""
select
    $load_id as load_id,
    signal,
    record_type,
    {IS_KNOWN} as is_known,
    cast(sum(record_count) as bigint) as record_count
from seen
group by all
"""


class TelemetryReader(OtlpReader):
    """Turns Claude Code's telemetry into files of the raw tables."""

    def finish(self, files: Sequence[JsonlFile]) -> RowCounts:
        """Write the rest, and what is known once every line is read."""
        self.landing.write(tables.RECORD_TYPES.name, RECORD_TYPE_TOTALS)
        return self.landing.finish(files)


def _only_where(condition: str, *groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {column: condition for group in groups for column in group}


def reader(context: LoadContext, files: pa.Table, config: OtlpConfig) -> TelemetryReader:
    """Return what turns requests of ``files`` into rows."""
    either = {
        **COMMON,
        "team": tuple(config.team_attributes),
        "project_name": tuple(config.project_attributes),
    }
    resource = {"service_version": ("service.version",), "process": ("service.instance.id",)}
    call = {**PLAIN, **REQUEST, **TOOL}
    signals: Mapping[Signal, SignalRows] = {
        "logs": SignalRows(
            Attributes(
                first={"event_word": ("event.name",)},
                record={"event_timestamp": ("event.timestamp",), **call, **GOVERNANCE, **PROMPT},
                resource=resource,
                either=either,
                derived={"event": EVENT},
                only_where={
                    "event_timestamp": "time_ns is null or time_ns = '0'",
                    **_only_where("starts_with(event, 'api_')", REQUEST),
                    **_only_where("not starts_with(event, 'api_')", TOOL, GOVERNANCE),
                    **_only_where(f"event = '{PROMPT_EVENT}'", PROMPT),
                },
            ),
            LOGS,
            {
                tables.REQUESTS.name: LANDED_REQUESTS,
                tables.TOOL_EVENTS.name: LANDED_TOOL_EVENTS,
                tables.PROMPTS.name: LANDED_PROMPTS,
                tables.AUDIT_EVENTS.name: LANDED_AUDIT_EVENTS,
            },
            counted="event",
            contents=CONTENTS,
        ),
        "traces": SignalRows(
            Attributes(
                record=call,
                resource=resource,
                either=either,
                only_where={
                    **_only_where("span_name like '%llm_request'", REQUEST),
                    **_only_where("span_name like '%tool'", TOOL),
                },
            ),
            SPANS,
            {
                tables.REQUESTS.name: LANDED_REQUESTS,
                tables.TOOL_EVENTS.name: LANDED_TOOL_EVENTS,
            },
            counted="event",
            contents=TOOL_CONTENTS,
        ),
        "metrics": SignalRows(
            Attributes(record=POINT, resource=resource, either=either),
            POINTS,
            {tables.METRICS.name: LANDED_METRICS},
            counted="metric",
        ),
    }
    landing = Landing(context, "claude_code_otel", tables.ALL, files, {})
    return TelemetryReader(landing, IS_OWN, signals)
