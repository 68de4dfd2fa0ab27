{#- Fails where the days do not hold every tool call. -#}
{% test tool_calls_match_calls(model) %}
select
    daily.mcp_tool_calls,
    calls.mcp_call_count,
    orphans.tool_calls
from (select coalesce(sum(mcp_tool_calls), 0) as mcp_tool_calls from {{ model }}) as daily
cross join (
    select coalesce(sum(mcp_call_count), 0) as mcp_call_count from {{ ref('int_calls__priced') }}
) as calls
cross join (
    select count(*) as tool_calls
    from {{ ref('int_tool_calls__deduplicated') }}
    where call_id is null
) as orphans
where daily.mcp_tool_calls != calls.mcp_call_count + orphans.tool_calls
{% endtest %}
