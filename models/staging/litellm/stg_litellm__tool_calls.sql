{# Which model asked for a tool the gateway does not say: it only sees that a client called it. #}
with

source as (
    select * from {{ source('litellm', 'litellm_tool_calls') }}
),

renamed as (
    select
        request_id as observation_id,
        'litellm' as source,
        load_id,
        cast(null as {{ dbt.type_string() }}) as vendor,
        cast(null as {{ dbt.type_string() }}) as tool_use_id,
        cast(null as {{ dbt.type_string() }}) as message_id,
        cast(null as {{ dbt.type_string() }}) as request_id,
        cast(null as {{ dbt.type_string() }}) as record_uuid,
        session_id,
        team_id,
        project,
        user_id,
        coalesce(mcp_name, 'unknown') as mcp_name,
        tool_name,
        input_fingerprint,
        case
            when coalesce(status, 'success') != 'failure' then 'success'
            when error_code in ('401', '403') then 'denied'
            else 'error'
        end as status,
        coalesce(request_duration_ms, {{ milliseconds_between('started_at', 'ended_at') }})
            as latency_ms,
        spend_usd as reported_cost_usd,
        started_at as observed_at,
        ended_at as answered_at
    from source
)

select * from renamed
