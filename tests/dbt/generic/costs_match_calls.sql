{#- Fails where the days do not hold every call, token and dollar. -#}
{% test costs_match_calls(model) %}
with

daily as (
    select
        coalesce(sum(total_calls), 0) as total_calls,
        coalesce(sum(
            input_tokens + cache_write_5m_tokens + cache_write_1h_tokens
            + cache_read_tokens + output_tokens
        ), 0) as total_tokens,
        coalesce(sum(list_cost_usd), 0) as list_cost_usd,
        coalesce(sum(total_cost_usd), 0) as total_cost_usd,
        coalesce(sum(unpriced_calls), 0) as unpriced_calls
    from {{ model }}
),

calls as (
    select
        count(*) as total_calls,
        coalesce(sum(
            input_tokens + cache_write_5m_tokens + cache_write_1h_tokens
            + cache_read_tokens + output_tokens
        ), 0) as total_tokens,
        coalesce(sum(list_cost_usd), 0) as list_cost_usd,
        coalesce(sum(total_cost_usd), 0) as total_cost_usd,
        coalesce(sum(case when total_cost_usd is null then 1 else 0 end), 0) as unpriced_calls
    from {{ ref('int_calls__priced') }}
    where merged_into_call_id is null
)

select daily.*
from daily
cross join calls
where
    daily.total_calls != calls.total_calls
    or daily.total_tokens != calls.total_tokens
    or daily.list_cost_usd != calls.list_cost_usd
    or daily.total_cost_usd != calls.total_cost_usd
    or daily.unpriced_calls != calls.unpriced_calls
{% endtest %}
