-- every call of a pattern is a call, and the pattern costs what they do
with

costs as (
    select
        pattern_calls.pattern_hash as pattern_hash,
        pattern_calls.is_original as is_original,
        case
            when pattern_calls.tool_call_id is null then calls.call_id
            else tool_calls.tool_call_id
        end as found_id,
        case
            when pattern_calls.tool_call_id is null then calls.total_cost_usd
            else tool_calls.allocated_cost_usd
        end as cost_usd
    from {{ ref('hivemind_pattern_calls') }} as pattern_calls
    left join {{ ref('mcp_calls') }} as calls
        on pattern_calls.call_id = calls.call_id
    left join {{ ref('mcp_tool_calls') }} as tool_calls
        on pattern_calls.tool_call_id = tool_calls.tool_call_id
),

summed as (
    select
        pattern_hash,
        count(*) as call_count,
        sum(case when found_id is null then 1 else 0 end) as missing_calls,
        coalesce(sum(cost_usd), 0) as total_cost_usd,
        coalesce(sum(case when not is_original then cost_usd end), 0) as avoidable_cost_usd
    from costs
    group by pattern_hash
)

select patterns.pattern_hash
from {{ ref('hivemind_patterns') }} as patterns
left join summed
    on patterns.pattern_hash = summed.pattern_hash
where
    summed.pattern_hash is null
    or summed.missing_calls > 0
    or patterns.call_count != summed.call_count
    or coalesce(patterns.total_cost_usd, 0) != summed.total_cost_usd
    or coalesce(patterns.avoidable_cost_usd, 0) != summed.avoidable_cost_usd
