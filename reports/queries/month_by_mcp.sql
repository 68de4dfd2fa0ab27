-- The month so far by MCP server: what its tool calls were allotted of the model calls that made them.
select
    tools.mcp_name as name,
    sum(tools.allocated_cost_usd) as cost_usd,
    cast(sum(tools.allocated_cost_usd) as varchar) as cost_usd_exact,
    sum(tools.mcp_tool_calls) as tool_calls,
    sum(tools.failed_tool_calls) / nullif(sum(tools.mcp_tool_calls), 0) as failed_share
from marts.mcp_tools_daily as tools
cross join ${period} as period
where tools.usage_date between period.month_date and period.through_date
group by tools.mcp_name
order by cost_usd desc nulls last, name
