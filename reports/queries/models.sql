select
    model_id as value,
    model_id as label
from marts.cost_by_team
group by model_id
order by sum(total_cost_usd) desc nulls last, model_id
