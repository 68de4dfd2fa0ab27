-- the tool calls of a model call share all of its cost, to the last digit
select
    calls.call_id,
    calls.total_cost_usd,
    sum(tool_calls.allocated_cost_usd) as allocated_cost_usd
from {{ ref('mcp_calls') }} as calls
inner join {{ ref('mcp_tool_calls') }} as tool_calls
    on calls.call_id = tool_calls.call_id
where calls.total_cost_usd is not null
group by calls.call_id, calls.total_cost_usd
having calls.total_cost_usd != sum(tool_calls.allocated_cost_usd)
