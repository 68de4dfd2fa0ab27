-- What the period and the one before came to: always one row.
with

calls as (
    select
        cost.usage_date >= period.start_date as is_current,
        cost.usage_date >= period.previous_start_date and not is_current as is_previous,
        cost.total_cost_usd,
        cost.total_calls,
        cost.unpriced_calls,
        cost.input_tokens + cost.cache_write_5m_tokens + cost.cache_write_1h_tokens
        + cost.cache_read_tokens + cost.output_tokens as tokens
    from marts.cost_by_team_daily as cost
    cross join ${period} as period
),

totals as (
    select
        sum(total_cost_usd) as all_cost_usd,
        coalesce(sum(total_calls), 0) as all_calls,
        coalesce(sum(unpriced_calls), 0) as all_unpriced_calls,
        sum(total_cost_usd) filter (is_current) as cost_usd,
        coalesce(sum(total_calls) filter (is_current), 0) as calls,
        coalesce(sum(tokens) filter (is_current), 0) as tokens,
        sum(total_cost_usd) filter (is_previous) as previous_cost_usd,
        sum(total_calls) filter (is_previous) as previous_calls,
        sum(tokens) filter (is_previous) as previous_tokens
    from calls
)

select
    period.*,
    totals.*
from ${period} as period
cross join totals
