{{ config(order_by=['usage_date', 'vendor', 'status', 'reason']) }}

with

compared as (
    select * from {{ ref('cost_reconciliation') }}
),

summed as (
    select
        compared.usage_date as usage_date,
        compared.vendor as vendor,
        compared.status as status,
        coalesce(compared.reason, 'none') as reason_or_none,
        count(*) as compared_rows,
        sum(compared.computed_cost_usd) as computed_cost_usd,
        sum(compared.vendor_net_cost_usd) as vendor_net_cost_usd,
        sum(compared.difference_usd) as difference_usd,
        sum(abs(compared.difference_usd)) as absolute_difference_usd,
        sum(compared.unexplained_usd) as unexplained_usd
    from compared
    group by
        compared.usage_date,
        compared.vendor,
        compared.status,
        coalesce(compared.reason, 'none')
),

final as (
    select
        usage_date,
        '{{ customer() }}' as customer_id,
        vendor,
        status,
        reason_or_none as reason,
        cast(compared_rows as {{ dbt.type_bigint() }}) as compared_rows,
        cast(computed_cost_usd as {{ type_usd() }}) as computed_cost_usd,
        cast(vendor_net_cost_usd as {{ type_usd() }}) as vendor_net_cost_usd,
        cast(difference_usd as {{ type_usd() }}) as difference_usd,
        cast(absolute_difference_usd as {{ type_usd() }}) as absolute_difference_usd,
        cast(unexplained_usd as {{ type_usd() }}) as unexplained_usd
    from summed
)

select * from final
