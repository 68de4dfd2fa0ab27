{{ config(order_by=['billing_period', 'charge_period']) }}

with

ledger as (
    select * from {{ ref('cost_ledger') }}
),

final as (
    select
        billing_period,
        charge_period,
        '{{ customer() }}' as customer_id,
        coalesce(reason, 'usage of the month') as reason,
        is_closed,
        cast(sum(total_calls) as {{ dbt.type_bigint() }}) as total_calls,
        cast(sum(unpriced_calls) as {{ dbt.type_bigint() }}) as unpriced_calls,
        cast(sum(total_cost_usd) as {{ type_usd() }}) as total_cost_usd,
        max(closed_at) as closed_at
    from ledger
    group by billing_period, charge_period, coalesce(reason, 'usage of the month'), is_closed
)

select * from final
