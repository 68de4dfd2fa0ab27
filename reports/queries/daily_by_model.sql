-- Cost by day of this month and the one before, every day present; models without a colour together.
with

days as (
    select cast(unnest(range(previous_month_date, through_date + 1, interval 1 day)) as date) as usage_date
    from ${period}
    where through_date is not null
),

series as (
    select name, colour from ${model_colours}
    union all
    select 'other models' as name, 99 as colour
),

costs as (
    select
        cost.usage_date,
        coalesce(colours.name, 'other models') as name,
        sum(cost.total_cost_usd) as cost_usd
    from marts.cost_by_team_daily as cost
    left join ${model_colours} as colours on cost.model_id = colours.name
    group by cost.usage_date, coalesce(colours.name, 'other models')
    having cost_usd > 0
)

-- the day is text: a date would move by one in browsers west of Greenwich
select
    strftime(days.usage_date, '%-d %b') as day,
    series.name as series,
    coalesce(costs.cost_usd, 0) as amount_usd
from days
cross join series
left join costs on days.usage_date = costs.usage_date and series.name = costs.name
where series.name in (select costs.name from costs inner join days on costs.usage_date = days.usage_date)
order by series.colour, days.usage_date
