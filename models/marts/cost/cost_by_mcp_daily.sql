{{ config(order_by=['usage_date', 'mcp_name', 'model_id'], partition_by='toYYYYMM(usage_date)') }}

with

daily as (
    select * from {{ ref('int_costs__daily') }}
),

final as (
    select
        usage_date,
        '{{ customer() }}' as customer_id,
        mcp_name,
        model_id,
        {{ cost_measures() }},
        cast(sum(mcp_tool_calls) as bigint) as mcp_tool_calls
    from daily
    where total_calls + mcp_tool_calls > 0
    group by usage_date, mcp_name, model_id
)

select * from final
