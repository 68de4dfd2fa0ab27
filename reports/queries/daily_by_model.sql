-- Cost by day of both periods, every day present; the seven dearest models, the others together.
with

ranked as (
    select
        cost.model_id,
        row_number() over (order by sum(cost.total_cost_usd) desc, cost.model_id) as cost_rank
    from marts.cost_by_team_daily as cost
    cross join ${period} as period
    where cost.usage_date >= period.previous_start_date
    group by cost.model_id
    having sum(cost.total_cost_usd) is not null
),

named as (
    select
        model_id,
        case when cost_rank <= 7 then model_id else 'other models' end as model,
        least(cost_rank, 8) as model_order
    from ranked
),

days as (
    select cast(unnest(range(previous_start_date, as_of_date + 1, interval 1 day)) as date) as usage_date
    from ${period}
    where as_of_date is not null
)

-- the day is text: a date would move by one in browsers west of Greenwich
select
    strftime(days.usage_date, '%-d %b') as day,
    named.model,
    coalesce(sum(cost.total_cost_usd), 0) as cost_usd
from days
cross join named
left join marts.cost_by_team_daily as cost
    on cost.usage_date = days.usage_date and cost.model_id = named.model_id
group by days.usage_date, named.model, named.model_order
order by named.model_order, days.usage_date
