{#
  One row a call of a tool, in the columns that all sources share. Up to three spans tell of one call:
  an agent's execution, the client's request below it, the server's answer below that. Spans belong
  together by parentage within a trace, where that is cut by the id of the JSON-RPC request, and
  always by the id of the tool use. The client is believed first, then the server.
#}
with

spans as (
    select * from {{ ref('stg_otel_genai__tool_spans') }}
),

loads as (
    select * from {{ ref('stg_mindweave__loads') }}
),

numbered as (
    select
        spans.load_id as load_id,
        spans.observation_id as observation_id,
        spans.trace_id as trace_id,
        spans.span_id as span_id,
        spans.parent_span_id as parent_span_id,
        spans.tool_use_id as tool_use_id,
        spans.jsonrpc_request_id as jsonrpc_request_id,
        spans.session_id as session_id,
        spans.team_id as team_id,
        spans.user_id as user_id,
        spans.project as project,
        spans.span_role as span_role,
        spans.tool_name as tool_name,
        spans.mcp_name as mcp_name,
        spans.input_fingerprint as input_fingerprint,
        spans.vendor as vendor,
        spans.status as status,
        spans.latency_ms as latency_ms,
        spans.started_at as started_at,
        spans.ended_at as ended_at,
        case
            when spans.span_role = 'client' then 1
            when spans.span_role = 'server' then 2
            else 3
        end as role_rank,
        loads.finished_at as loaded_at,
        row_number() over (
            partition by spans.trace_id, spans.span_id
            order by loads.finished_at desc, spans.observation_id asc
        ) as copy_number
    from spans
    inner join loads
        on spans.load_id = loads.load_id
),

distinct_spans as (
    select * from numbered
    where copy_number = 1
),

-- a request that only one client of the trace made
client_requests as (
    select
        trace_id,
        jsonrpc_request_id,
        tool_name,
        max(span_id) as span_id,
        max(parent_span_id) as parent_span_id
    from distinct_spans
    where
        span_role = 'client'
        and jsonrpc_request_id is not null
    group by trace_id, jsonrpc_request_id, tool_name
    having count(*) = 1
),

with_client as (
    select
        distinct_spans.span_id as span_id,
        distinct_spans.trace_id as trace_id,
        distinct_spans.tool_name as tool_name,
        distinct_spans.role_rank as role_rank,
        coalesce(clients.span_id, client_requests.span_id, distinct_spans.span_id)
            as client_span_id,
        case
            when clients.span_id is not null then clients.parent_span_id
            when client_requests.span_id is not null then client_requests.parent_span_id
            else distinct_spans.parent_span_id
        end as client_parent_span_id
    from distinct_spans
    left join distinct_spans as clients
        on distinct_spans.trace_id = clients.trace_id
        and distinct_spans.parent_span_id = clients.span_id
        and distinct_spans.tool_name = clients.tool_name
        and distinct_spans.role_rank = 2
        and clients.role_rank = 1
    left join client_requests
        on distinct_spans.trace_id = client_requests.trace_id
        and distinct_spans.jsonrpc_request_id = client_requests.jsonrpc_request_id
        and distinct_spans.tool_name = client_requests.tool_name
        and distinct_spans.role_rank = 2
),

with_root as (
    select
        with_client.trace_id as trace_id,
        with_client.span_id as span_id,
        coalesce(executions.span_id, with_client.client_span_id) as root_span_id
    from with_client
    left join distinct_spans as executions
        on with_client.trace_id = executions.trace_id
        and with_client.client_parent_span_id = executions.span_id
        and with_client.tool_name = executions.tool_name
        and executions.role_rank = 3
        and with_client.role_rank != 3
),

grouped as (
    select
        distinct_spans.load_id as load_id,
        distinct_spans.observation_id as observation_id,
        distinct_spans.trace_id as trace_id,
        distinct_spans.span_id as span_id,
        distinct_spans.parent_span_id as parent_span_id,
        distinct_spans.tool_use_id as tool_use_id,
        distinct_spans.jsonrpc_request_id as jsonrpc_request_id,
        distinct_spans.session_id as session_id,
        distinct_spans.team_id as team_id,
        distinct_spans.user_id as user_id,
        distinct_spans.project as project,
        distinct_spans.span_role as span_role,
        distinct_spans.tool_name as tool_name,
        distinct_spans.mcp_name as mcp_name,
        distinct_spans.input_fingerprint as input_fingerprint,
        distinct_spans.vendor as vendor,
        distinct_spans.status as status,
        distinct_spans.latency_ms as latency_ms,
        distinct_spans.started_at as started_at,
        distinct_spans.ended_at as ended_at,
        distinct_spans.role_rank as role_rank,
        distinct_spans.loaded_at as loaded_at,
        max(distinct_spans.tool_use_id) over (
            partition by with_root.trace_id, with_root.root_span_id
        ) as call_tool_use_id,
        'span/' || with_root.trace_id || '/' || with_root.root_span_id as root_id
    from distinct_spans
    inner join with_root
        on distinct_spans.trace_id = with_root.trace_id
        and distinct_spans.span_id = with_root.span_id
),

keyed as (
    select
        *,
        coalesce(call_tool_use_id, root_id) as call_key
    from grouped
),

ranked as (
    select
        *,
        {% for column in [
            'vendor', 'session_id', 'team_id', 'project', 'user_id', 'mcp_name', 'tool_name',
            'input_fingerprint'
        ] %}
        row_number() over (
            partition by call_key
            order by
                case when {{ column }} is null then 1 else 0 end,
                role_rank,
                started_at,
                observation_id
        ) as {{ column }}_rank,
        {% endfor %}
        row_number() over (
            partition by call_key
            order by role_rank, started_at, observation_id
        ) as span_rank,
        row_number() over (
            partition by call_key
            order by loaded_at desc, load_id desc
        ) as load_rank
    from keyed
),

merged as (
    select
        call_key as observation_id,
        'otel_genai' as source,
        max(case when load_rank = 1 then load_id end) as load_id,
        max(case when vendor_rank = 1 then vendor end) as vendor,
        max(call_tool_use_id) as tool_use_id,
        cast(null as {{ dbt.type_string() }}) as message_id,
        cast(null as {{ dbt.type_string() }}) as request_id,
        cast(null as {{ dbt.type_string() }}) as record_uuid,
        max(case when session_id_rank = 1 then session_id end) as session_id,
        max(case when team_id_rank = 1 then team_id end) as team_id,
        max(case when project_rank = 1 then project end) as project,
        max(case when user_id_rank = 1 then user_id end) as user_id,
        coalesce(max(case when mcp_name_rank = 1 then mcp_name end), 'unknown') as mcp_name,
        max(case when tool_name_rank = 1 then tool_name end) as tool_name,
        max(case when input_fingerprint_rank = 1 then input_fingerprint end) as input_fingerprint,
        max(case when span_rank = 1 then status end) as status,
        max(case when span_rank = 1 then latency_ms end) as latency_ms,
        cast(null as {{ type_usd() }}) as reported_cost_usd,
        max(case when span_rank = 1 then started_at end) as observed_at,
        max(case when span_rank = 1 then ended_at end) as answered_at
    from ranked
    group by call_key
)

select * from merged
