{# Calls of MCP tools that a source tells in our own words. #}
with

source as (
    select * from {{ source('mindweave', 'tool_call_events') }}
),

renamed as (
    select
        observation_id,
        source,
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
        coalesce(mcp_name, 'unknown') as mcp_name,
        tool_name,
        input_fingerprint,
        coalesce(status, 'unknown') as status,
        latency_ms,
        reported_cost_usd,
        observed_at,
        answered_at
    from source
)

select * from renamed
