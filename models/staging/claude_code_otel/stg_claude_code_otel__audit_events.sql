{#
  Events of governance in the columns that all sources share. An event that was read or sent twice has
  one event_id.
#}
with

source as (
    select * from {{ source('claude_code_otel', 'claude_code_otel_audit_events') }}
),

renamed as (
    select
        'claude_code_otel' as source,
        load_id,
        coalesce(session_id, '')
        || '/' || coalesce(cast(event_sequence as {{ dbt.type_string() }}), '')
        || '/' || event_name
        || '/' || coalesce(tool_use_id, '')
        || '/' || cast(occurred_at as {{ dbt.type_string() }}) as event_id,
        occurred_at,
        'anthropic' as vendor,
        org_id,
        cast(null as {{ dbt.type_string() }}) as workspace_id,
        'user' as actor_kind,
        user_id as actor_id,
        'claude_code.' || event_name as action,  -- noqa: RF04
        case
            when event_name = 'tool_decision' then 'tool'
            when event_name = 'mcp_server_connection' then 'mcp_server'
            when event_name = 'plugin_installed' then 'plugin'
            when event_name = 'auth' then 'account'
            else 'session'
        end as resource_type,
        case
            when event_name = 'tool_decision' then coalesce(tool_use_id, tool_name)
            when event_name = 'mcp_server_connection' then coalesce(mcp_server_name, 'unknown')
            when event_name = 'plugin_installed' then plugin_name
            when event_name = 'auth' then user_id
            else session_id
        end as resource_id,
        coalesce(error_code, decision_source) as reason_code,
        -- these are words by the time they land, so they need no escaping
        '{"mode":"' || mode_before || '"}' as before_json,
        case
            when event_name = 'permission_mode_changed' then '{"mode":"' || mode_after || '"}'
            when action is not null and status is not null
                then '{"action":"' || action || '","status":"' || status || '"}'
            when action is not null then '{"action":"' || action || '"}'
            when status is not null then '{"status":"' || status || '"}'
        end as after_json
    from source
)

select * from renamed
