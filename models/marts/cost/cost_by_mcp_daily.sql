{{ config(order_by=['usage_date', 'mcp_name', 'model_id'], partition_by='toYYYYMM(usage_date)') }}

{# A server that no call came to first has tool calls only: its row has no calls and no dollars. #}
with

costs as (
    select
        usage_date,
        mcp_name,
        model_id,
        {{ cost_measures() }}
    from {{ ref('int_costs__with_duplicates') }}
    where total_calls > 0
    group by usage_date, mcp_name, model_id
),

tool_calls as (
    select * from {{ ref('int_tool_calls__daily') }}
    where mcp_tool_calls > 0
),

final as (
    select
        coalesce(costs.usage_date, tool_calls.usage_date) as usage_date,
        '{{ customer() }}' as customer_id,
        coalesce(costs.mcp_name, tool_calls.mcp_name) as mcp_name,
        coalesce(costs.model_id, tool_calls.model_id) as model_id,
        {% for measure in [
            'total_calls', 'input_tokens', 'cache_write_5m_tokens', 'cache_write_1h_tokens',
            'cache_read_tokens', 'output_tokens'
        ] %}
        coalesce(costs.{{ measure }}, 0) as {{ measure }},
        {% endfor %}
        costs.list_cost_usd,
        costs.total_cost_usd,
        costs.avg_cost_per_call_usd,
        costs.duplicate_calls,
        costs.duplicate_cost_usd,
        coalesce(costs.unpriced_calls, 0) as unpriced_calls,
        coalesce(tool_calls.mcp_tool_calls, 0) as mcp_tool_calls
    from costs
    full outer join tool_calls
        on costs.usage_date = tool_calls.usage_date
        and costs.mcp_name = tool_calls.mcp_name
        and costs.model_id = tool_calls.model_id
)

select * from final
