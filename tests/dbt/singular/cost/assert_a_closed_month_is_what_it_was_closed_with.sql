-- neither a row of a closed month nor a dollar of it comes or goes
with

closes as (
    select
        billing_period,
        count(team_id) as row_count,
        coalesce(sum(total_calls), 0) as total_calls,
        coalesce(sum(list_cost_usd), 0) as list_cost_usd,
        coalesce(sum(total_cost_usd), 0) as total_cost_usd
    from {{ ref('stg_mindweave__month_closes') }}
    group by billing_period
),

ledger as (
    select
        billing_period,
        count(*) as row_count,
        sum(total_calls) as total_calls,
        coalesce(sum(list_cost_usd), 0) as list_cost_usd,
        coalesce(sum(total_cost_usd), 0) as total_cost_usd
    from {{ ref('cost_ledger') }}
    group by billing_period
)

select closes.*
from closes
left join ledger
    on closes.billing_period = ledger.billing_period
where
    closes.row_count != coalesce(ledger.row_count, 0)
    or closes.total_calls != coalesce(ledger.total_calls, 0)
    or closes.list_cost_usd != coalesce(ledger.list_cost_usd, 0)
    or closes.total_cost_usd != coalesce(ledger.total_cost_usd, 0)
