-- duplicates are paid: what was found changes neither a call nor a dollar
with

marts as (
    select
        count(*) as call_count,
        coalesce(sum(total_cost_usd), 0) as total_cost_usd,
        coalesce(sum(case when is_duplicate then total_cost_usd end), 0) as duplicate_cost_usd,
        coalesce(sum(case when is_duplicate then 1 else 0 end), 0) as duplicate_calls
    from {{ ref('mcp_calls') }}
),

calls as (
    select
        count(*) as call_count,
        coalesce(sum(total_cost_usd), 0) as total_cost_usd
    from {{ ref('int_calls__priced') }}
    where merged_into_call_id is null
),

days as (
    select
        coalesce(sum(total_cost_usd), 0) as total_cost_usd,
        coalesce(sum(duplicate_cost_usd), 0) as duplicate_cost_usd,
        coalesce(sum(duplicate_calls), 0) as duplicate_calls
    from {{ ref('cost_by_team_daily') }}
)

select marts.call_count
from marts
cross join calls
cross join days
where
    marts.call_count != calls.call_count
    or marts.total_cost_usd != calls.total_cost_usd
    or marts.total_cost_usd != days.total_cost_usd
    or marts.duplicate_cost_usd != days.duplicate_cost_usd
    or marts.duplicate_calls != days.duplicate_calls
