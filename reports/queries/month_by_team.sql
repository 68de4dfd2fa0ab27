-- The month so far by team; what belongs to none is a row of its own.
select
    teams.label as name,
    teams.page as page,
    sum(cost.total_cost_usd) as cost_usd,
    cast(sum(cost.total_cost_usd) as varchar) as cost_usd_exact,
    sum(cost.total_cost_usd) / nullif(sum(sum(cost.total_cost_usd)) over (), 0) as cost_share,
    sum(cost.total_cost_usd) / nullif(sum(cost.previous_cost_usd), 0) - 1 as cost_change,
    sum(cost.total_calls) as calls
from marts.cost_month_to_date as cost
inner join ${teams} as teams on cost.team_id = teams.value
group by teams.label, teams.page
having calls > 0
order by cost_usd desc nulls last, name
