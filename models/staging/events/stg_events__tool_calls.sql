{# The MCP tool that a call used, where its event names a server, as a call by that model call. #}
with

calls as (
    select * from {{ ref('stg_events__mcp_calls') }}
    where is_first
),

final as (
    select
        observation_id,
        'events' as source,
        load_id,
        vendor,
        tool_use_id,
        message_id,
        request_id,
        record_uuid,
        session_id,
        team_id,
        project,
        user_id,
        mcp_name,
        tool_name,
        input_fingerprint,
        case
            when status = 'success' then 'success'
            when status in ('error', 'rate_limited') then 'error'
            else 'unknown'
        end as status,
        cast(null as {{ dbt.type_bigint() }}) as latency_ms,
        cast(null as {{ type_usd() }}) as reported_cost_usd,
        called_at as observed_at,
        cast(null as {{ dbt.type_timestamp() }}) as answered_at
    from calls
    where mcp_name is not null
)

select * from final
