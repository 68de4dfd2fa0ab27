{{ config(order_by=['usage_date', 'mcp_name', 'tool_name']) }}

with

tool_calls as (
    select * from {{ ref('mcp_tool_calls') }}
),

summed as (
    select
        tool_calls.usage_date as usage_date,
        tool_calls.mcp_name as mcp_name,
        tool_calls.tool_name as tool_name,
        count(*) as mcp_tool_calls,
        sum(case when tool_calls.status = 'error' then 1 else 0 end) as failed_tool_calls,
        count(tool_calls.latency_ms) as timed_tool_calls,
        sum(tool_calls.latency_ms) as latency_ms,
        max(tool_calls.latency_ms) as longest_latency_ms,
        sum(tool_calls.allocated_cost_usd) as allocated_cost_usd
    from tool_calls
    group by tool_calls.usage_date, tool_calls.mcp_name, tool_calls.tool_name
),

final as (
    select
        usage_date,
        '{{ customer() }}' as customer_id,
        mcp_name,
        tool_name,
        cast(mcp_tool_calls as {{ dbt.type_bigint() }}) as mcp_tool_calls,
        cast(failed_tool_calls as {{ dbt.type_bigint() }}) as failed_tool_calls,
        cast(timed_tool_calls as {{ dbt.type_bigint() }}) as timed_tool_calls,
        cast(latency_ms as {{ dbt.type_bigint() }}) as latency_ms,
        cast(longest_latency_ms as {{ dbt.type_bigint() }}) as longest_latency_ms,
        cast(allocated_cost_usd as {{ type_usd() }}) as allocated_cost_usd
    from summed
)

select * from final
