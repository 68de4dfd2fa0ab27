{#- Fails where the days do not hold every tool call. -#}
{% test tool_calls_match_calls(model) %}
select
    daily.mcp_tool_calls,
    calls.mcp_call_count
from (select coalesce(sum(mcp_tool_calls), 0) as mcp_tool_calls from {{ model }}) as daily
cross join (
    select coalesce(sum(mcp_call_count), 0) as mcp_call_count from {{ ref('int_calls__priced') }}
) as calls
where daily.mcp_tool_calls != calls.mcp_call_count
{% endtest %}
