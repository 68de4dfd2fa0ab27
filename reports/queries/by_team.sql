-- Cost of the period by team, the dearest first; what belongs to none is a row of its own.
select
    case cost.team_id when 'unallocated' then 'No team' else cost.team_id end as name,
    cost.team_id = 'unallocated' as is_unallocated,
    sum(cost.total_cost_usd) filter (cost.usage_date >= period.start_date) as cost_usd,
    cost_usd / nullif(sum(cost_usd) over (), 0) as cost_ratio,
    case when period.is_comparable then
        cost_usd / nullif(sum(cost.total_cost_usd) filter (cost.usage_date < period.start_date), 0) - 1
    end as change_ratio,
    sum(cost.total_calls) filter (cost.usage_date >= period.start_date) as calls
from marts.cost_by_team_daily as cost
cross join ${period} as period
where cost.usage_date between period.previous_start_date and period.as_of_date
group by cost.team_id, period.is_comparable
having calls > 0
order by cost_usd desc nulls last, name
