{#
  Calls of MCP tools in the columns that all sources share: those that ran, and those that were
  refused. The events of a call and its span are sights of one call by its tool_use_id.
#}
with

source as (
    select * from {{ source('claude_code_otel', 'claude_code_otel_tool_events') }}
),

renamed as (
    select
        file_id || '/' || cast(line_number as {{ dbt.type_string() }}) || '/' || record_path
            as observation_id,
        'claude_code_otel' as source,
        load_id,
        'anthropic' as vendor,
        tool_use_id,
        cast(null as {{ dbt.type_string() }}) as message_id,
        cast(null as {{ dbt.type_string() }}) as request_id,
        cast(null as {{ dbt.type_string() }}) as record_uuid,
        session_id,
        team_id,
        project,
        user_id,
        coalesce(mcp_server_name, 'unknown') as mcp_name,
        mcp_tool_name as tool_name,
        input_fingerprint,
        case
            when is_denied then 'denied'
            when is_success then 'success'
            when not is_success then 'error'
            else 'unknown'
        end as status,
        case when not is_denied then duration_ms end as latency_ms,
        cast(null as {{ type_usd() }}) as reported_cost_usd,
        started_at as observed_at,
        case when not is_denied then ended_at end as answered_at
    from source
)

select * from renamed
