-- Cost of the period by project, the dearest first; what belongs to none is a row of its own.
select
    case cost.project when 'unallocated' then 'No project' else cost.project end as name,
    cost.project = 'unallocated' as is_unallocated,
    sum(cost.total_cost_usd) filter (cost.usage_date >= period.start_date) as cost_usd,
    cost_usd / nullif(sum(cost_usd) over (), 0) as cost_ratio,
    case when period.is_comparable then
        cost_usd / nullif(sum(cost.total_cost_usd) filter (cost.usage_date < period.start_date), 0) - 1
    end as change_ratio,
    sum(cost.total_calls) filter (cost.usage_date >= period.start_date) as calls
from marts.cost_by_project_daily as cost
cross join ${period} as period
where cost.usage_date between period.previous_start_date and period.as_of_date
group by cost.project, period.is_comparable
having calls > 0
order by cost_usd desc nulls last, name
