-- The month so far, the same days before, and the forecast: always one row.
select
    period.*,
    totals.*
from ${period} as period
cross join (
    select
        sum(total_cost_usd) as cost_usd,
        cast(sum(total_cost_usd) as varchar) as cost_usd_exact,
        coalesce(sum(total_calls), 0) as calls,
        coalesce(sum(unpriced_calls), 0) as unpriced_calls,
        case when is_comparable then sum(previous_cost_usd) end as previous_cost_usd,
        case when is_comparable then sum(previous_calls) end as previous_calls,
        case when is_comparable then sum(previous_month_cost_usd) end as previous_month_cost_usd,
        sum(forecast_cost_usd) as forecast_cost_usd
    from marts.cost_month_to_date
    cross join (select coalesce(first_date <= previous_month_date, false) as is_comparable from ${period})
    group by is_comparable

    union all

    select null, null, 0, 0, null, null, null, null
    where not exists (select 1 from marts.cost_month_to_date)
) as totals
