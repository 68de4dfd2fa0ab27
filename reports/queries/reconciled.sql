-- How much of the bills is reconciled: always one row.
select
    sum(vendor_net_cost_usd) as billed_usd,
    sum(unexplained_usd) as unexplained_usd,
    coalesce(sum(vendor_net_cost_usd) filter (status <> 'unexplained'), 0) / nullif(sum(vendor_net_cost_usd), 0)
        as reconciled_share,
    strftime(max(usage_date) filter (vendor_net_cost_usd is not null), '%-d %b %Y') as last_billed_day
from marts.reconciliation_daily
