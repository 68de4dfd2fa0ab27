-- a month whose unexplained differences exceed both limits of the customer: docs/reconciliation.md
-- says where to look, seeds/reconciliation_limits.csv how much may be
-- depends_on: {{ ref('invoice_ladder') }}, {{ ref('capture_rate') }}
{# after both, which say where to look, so that it does not keep them from being built #}
with

months as (
    select
        cast({{ dbt.date_trunc('month', 'usage_date') }} as date) as period,
        vendor,
        sum(unexplained_usd) as unexplained_usd,
        sum(coalesce(vendor_net_cost_usd, 0)) as invoiced_usd
    from {{ ref('cost_reconciliation') }}
    group by cast({{ dbt.date_trunc('month', 'usage_date') }} as date), vendor
),

limits as (
    {{ limits_of_vendors('months') }}
)

select
    months.period as period,
    months.vendor as vendor,
    months.unexplained_usd as unexplained_usd,
    months.invoiced_usd as invoiced_usd
from months
left join limits
    on months.vendor = limits.vendor
where
    months.unexplained_usd > coalesce(limits.unexplained_limit_usd, 0)
    and cast(months.unexplained_usd as numeric(28, 12))
    > cast(abs(months.invoiced_usd) as numeric(28, 12))
    * coalesce(limits.unexplained_limit_share, 0)
