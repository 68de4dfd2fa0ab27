-- the steps of a month add up to what is invoiced, to the last digit
with

months as (
    select
        cast({{ dbt.date_trunc('month', 'usage_date') }} as date) as period,
        vendor,
        sum(net_cost_usd) as net_cost_usd
    from {{ ref('invoiced_costs') }}
    where is_reconciled
    group by cast({{ dbt.date_trunc('month', 'usage_date') }} as date), vendor
),

ladders as (
    select
        period,
        vendor,
        sum(amount_usd) as steps_usd,
        max(case when step = 'invoiced' then running_total_usd end) as invoiced_usd
    from {{ ref('invoice_ladder') }}
    group by period, vendor
)

select
    months.period as period,
    months.vendor as vendor,
    months.net_cost_usd as net_cost_usd,
    ladders.steps_usd as steps_usd,
    ladders.invoiced_usd as invoiced_usd
from months
left join ladders
    on months.period = ladders.period
    and months.vendor = ladders.vendor
where
    months.net_cost_usd != coalesce(ladders.steps_usd, 0)
    or months.net_cost_usd != coalesce(ladders.invoiced_usd, 0)
