-- what the passes took and cost is in their calls, no more and no less
with

passes as (
    select
        coalesce(sum(total_tokens), 0) as pass_tokens,
        coalesce(sum(list_cost_usd), 0) as list_cost_usd,
        coalesce(sum(total_cost_usd), 0) as total_cost_usd,
        count(distinct case when list_cost_usd is null then call_id end) as unpriced_calls
    from {{ ref('int_call_passes__priced') }}
),

calls as (
    select
        coalesce(sum(pass_tokens), 0) as pass_tokens,
        coalesce(sum(pass_list_cost_usd), 0) as list_cost_usd,
        coalesce(sum(pass_total_cost_usd), 0) as total_cost_usd,
        coalesce(
            sum(case when unpriced_passes > 0 and list_cost_usd is null then 1 else 0 end), 0
        ) as unpriced_calls
    from {{ ref('int_calls__priced') }}
)

select passes.*
from passes
cross join calls
where
    passes.pass_tokens != calls.pass_tokens
    or passes.list_cost_usd != calls.list_cost_usd
    or passes.total_cost_usd != calls.total_cost_usd
    or passes.unpriced_calls != calls.unpriced_calls
