{{ config(materialized='view') }}

with

tool_calls as (
    select * from {{ ref('int_tool_calls__allocated') }}
),

patterns as (
    select * from {{ ref('int_hivemind__pattern_requests') }}
    where content_kind = 'tool_input'
),

final as (
    select
        tool_calls.tool_call_id as tool_call_id,
        tool_calls.call_id as call_id,
        '{{ customer() }}' as customer_id,
        tool_calls.mcp_name as mcp_name,
        tool_calls.tool_name as tool_name,
        tool_calls.called_at as called_at,
        tool_calls.usage_date as usage_date,
        tool_calls.team_id as team_id,
        tool_calls.project as project,
        tool_calls.status as status,
        tool_calls.latency_ms as latency_ms,
        tool_calls.dedup_hash as dedup_hash,
        cast(
            case
                when tool_calls.dedup_hash is not null
                    then coalesce(not patterns.is_original, false)
            end as {{ dbt.type_boolean() }}
        ) as is_duplicate,
        case
            when not patterns.is_original then patterns.original_request_id
        end as duplicate_of_tool_call_id,
        tool_calls.allocated_cost_usd as allocated_cost_usd,
        tool_calls.reported_cost_usd as reported_cost_usd
    from tool_calls
    left join patterns
        on tool_calls.tool_call_id = patterns.request_id
)

select * from final
