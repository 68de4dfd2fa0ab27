-- The periods a reader can choose, the newest month first, each with the days that it is held against.
with

months as (
    select distinct cast(date_trunc('month', cost.usage_date) as date) as month_date
    from marts.cost_by_team_daily as cost
    cross join ${period} as period
    where cost.usage_date <= period.through_date

    union

    select month_date from ${period} where month_date is not null
),

choices as (
    select
        strftime(months.month_date, '%Y-%m') as value,
        strftime(months.month_date, '%B %Y')
        || case when months.month_date = period.month_date then ', to ' || strftime(period.through_date, '%-d %b') else '' end
            as label,
        months.month_date as start_date,
        least(cast(months.month_date + interval 1 month as date) - 1, period.through_date) as end_date,
        cast(months.month_date - interval 1 month as date) as previous_start_date,
        least(previous_start_date + cast(end_date - start_date as integer), months.month_date - 1) as same_days_end_date,
        case when months.month_date = period.month_date then same_days_end_date else months.month_date - 1 end
            as previous_end_date,
        period.first_date
    from months
    cross join ${period} as period

    union all

    select
        'last-30-days' as value,
        'Last 30 days, to ' || strftime(through_date, '%-d %b') as label,
        through_date - 29 as start_date,
        through_date as end_date,
        through_date - 59 as previous_start_date,
        through_date - 30 as same_days_end_date,
        through_date - 30 as previous_end_date,
        first_date
    from ${period}
    where through_date is not null
)

-- a period is only compared with one that the data cover from its first day
select
    value,
    label,
    start_date,
    end_date,
    previous_start_date,
    previous_end_date,
    coalesce(first_date <= previous_start_date, false) as is_comparable
from choices
order by value = 'last-30-days', start_date desc
