-- The 30 days up to the day of the last call, the 30 before, and what the data cover: always one row.
select
    site.customer_id,
    strftime(site.published_at, '%-d %b %Y, %H:%M') || ' UTC' as published,
    coalesce(freshness.time_zone, 'UTC') as time_zone,
    coalesce(freshness.billing_currency, 'USD') as billing_currency,
    freshness.as_of_date,
    freshness.as_of_date - 29 as start_date,
    freshness.as_of_date - 59 as previous_start_date,
    -- a period is only compared with one that the data cover from its first day
    coalesce(
        (select min(usage_date) from marts.cost_by_team_daily) <= freshness.as_of_date - 59, false
    ) as is_comparable,
    strftime(freshness.as_of_date - 29, '%-d %b') as start_day,
    strftime(freshness.as_of_date - 29, '%-d %b') || ' to '
    || strftime(freshness.as_of_date, '%-d %b %Y') as period,
    strftime(freshness.first_called_at, '%-d %b %Y') as first_day,
    strftime(freshness.last_called_at, '%-d %b %Y, %H:%M') || ' UTC' as last_call,
    strftime(freshness.last_loaded_at, '%-d %b %Y, %H:%M') || ' UTC' as last_load
from marts.site as site
cross join (
    select
        max(time_zone) as time_zone,
        max(billing_currency) as billing_currency,
        max(as_of_date) as as_of_date,
        min(first_called_at) as first_called_at,
        max(last_called_at) as last_called_at,
        max(last_loaded_at) as last_loaded_at
    from marts.data_freshness
) as freshness
