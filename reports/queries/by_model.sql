-- Cost of the period by model, the dearest first; what belongs to none is a row of its own.
select
    case cost.model_id when 'unallocated' then 'Unknown model' else cost.model_id end as name,
    cost.model_id = 'unallocated' as is_unallocated,
    sum(cost.total_cost_usd) filter (cost.usage_date >= period.start_date) as cost_usd,
    cost_usd / nullif(sum(cost_usd) over (), 0) as cost_ratio,
    case when period.is_comparable then
        cost_usd / nullif(sum(cost.total_cost_usd) filter (cost.usage_date < period.start_date), 0) - 1
    end as change_ratio,
    sum(cost.total_calls) filter (cost.usage_date >= period.start_date) as calls,
    sum(
        cost.input_tokens + cost.cache_write_5m_tokens + cost.cache_write_1h_tokens
        + cost.cache_read_tokens
    ) filter (cost.usage_date >= period.start_date) as all_input_tokens,
    sum(cost.cache_read_tokens) filter (cost.usage_date >= period.start_date)
    / nullif(all_input_tokens, 0) as cache_read_ratio,
    sum(cost.output_tokens) filter (cost.usage_date >= period.start_date) as all_output_tokens
from marts.cost_by_team_daily as cost
cross join ${period} as period
where cost.usage_date between period.previous_start_date and period.as_of_date
group by cost.model_id, period.is_comparable
having calls > 0
order by cost_usd desc nulls last, name
