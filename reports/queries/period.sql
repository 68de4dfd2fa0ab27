-- Whose site it is, up to which day it tells, and the month of that day: always one row.
with

reach as (
    select
        max(time_zone) as time_zone,
        max(billing_currency) as billing_currency,
        max(last_called_at) as last_called_at,
        max(last_loaded_at) as last_loaded_at,
        max(through_date) filter (last_called_at is not null) as whole_date
    from marts.data_freshness
),

days as (
    select min(usage_date) as first_date from marts.cost_by_team_daily
),

months as (
    select
        reach.*,
        days.first_date,
        -- before the first day of all is over, it is that day
        case when days.first_date is not null then greatest(reach.whole_date, days.first_date) end as through_date,
        reach.whole_date >= days.first_date as is_whole_day,
        cast(date_trunc('month', through_date) as date) as month_date,
        cast(month_date - interval 1 month as date) as previous_month_date
    from reach
    cross join days
)

select
    site.customer_id,
    strftime(site.published_at, '%-d %b %Y, %H:%M') || ' UTC' as published,
    coalesce(months.time_zone, 'UTC') as time_zone,
    coalesce(months.billing_currency, 'USD') as billing_currency,
    months.first_date,
    months.through_date,
    months.is_whole_day,
    months.month_date,
    months.previous_month_date,
    strftime(months.through_date, '%-d %b %Y') as through_day,
    strftime(months.month_date, '%B %Y') as month,
    strftime(months.previous_month_date, '%B') as previous_month,
    case
        when months.is_whole_day then 'through ' || strftime(months.through_date, '%-d %b') || ' 24:00'
        else 'so far'
    end as until,
    strftime(months.last_called_at, '%-d %b %Y, %H:%M') || ' UTC' as last_call,
    strftime(months.last_loaded_at, '%-d %b %Y, %H:%M') || ' UTC' as last_load
from marts.site as site
cross join months
