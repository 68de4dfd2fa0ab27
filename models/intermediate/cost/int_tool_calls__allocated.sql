{#
  A tool call costs nothing itself: it gets an equal share of its model call, the first one the rest;
  none where no source knows which model call asked. What a gateway charged for it stands beside.
#}
with

tool_calls as (
    select * from {{ ref('int_tool_calls__deduplicated') }}
),

calls as (
    select * from {{ ref('int_calls__priced') }}
),

joined as (
    select
        tool_calls.tool_call_id as tool_call_id,
        calls.call_id as call_id,
        tool_calls.mcp_name as mcp_name,
        tool_calls.tool_name as tool_name,
        tool_calls.called_at as called_at,
        tool_calls.answered_at as answered_at,
        tool_calls.reported_latency_ms as reported_latency_ms,
        tool_calls.status as status,
        tool_calls.dedup_hash as dedup_hash,
        tool_calls.reported_cost_usd as reported_cost_usd,
        coalesce(calls.team_id, tool_calls.team_id) as team_id,
        coalesce(calls.project, tool_calls.project) as project,
        coalesce(calls.usage_date, {{ local_date('tool_calls.called_at') }}) as usage_date,
        calls.total_cost_usd as total_cost_usd,
        {{ divide_usd('calls.total_cost_usd', 'calls.mcp_call_count') }} as share_usd,
        calls.mcp_call_count as mcp_call_count,
        row_number() over (
            partition by tool_calls.call_id
            order by
                tool_calls.called_at asc,
                tool_calls.file_id asc,
                tool_calls.line_number asc,
                tool_calls.block_index asc
        ) as call_position
    from tool_calls
    left join calls
        on tool_calls.call_id = calls.call_id
),

final as (
    select
        tool_call_id,
        call_id,
        mcp_name,
        tool_name,
        called_at,
        usage_date,
        team_id,
        project,
        status,
        coalesce(reported_latency_ms, {{ milliseconds_between('called_at', 'answered_at') }})
            as latency_ms,
        dedup_hash,
        cast(
            case
                when call_position = 1 then total_cost_usd - share_usd * (mcp_call_count - 1)
                else share_usd
            end
            as {{ type_usd() }}
        ) as allocated_cost_usd,
        reported_cost_usd
    from joined
)

select * from final
