-- The month so far by model.
select
    model_id as name,
    sum(total_cost_usd) as cost_usd,
    cast(sum(total_cost_usd) as varchar) as cost_usd_exact,
    sum(total_cost_usd) / nullif(sum(sum(total_cost_usd)) over (), 0) as cost_share,
    sum(total_cost_usd) / nullif(sum(previous_cost_usd), 0) - 1 as cost_change,
    sum(total_calls) as calls
from marts.cost_month_to_date
group by model_id
having calls > 0
order by cost_usd desc nulls last, name
