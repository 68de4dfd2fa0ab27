{{ config(
    materialized='table',
    order_by=['usage_date', 'team_id', 'project', 'model_id', 'mcp_name']
) }}

{#
  Duplicates by the grain of int_costs__daily. Not in it, as a new call may make one of an old call:
  of whatever day it is. What nobody saw has no row.
#}
with

final as (
    select
        calls.usage_date as usage_date,
        coalesce(calls.team_id, 'unallocated') as team_id,
        coalesce(calls.project, 'unallocated') as project,
        calls.model_id as model_id,
        coalesce(calls.mcp_name, 'unallocated') as mcp_name,
        cast(sum(case when marked.is_duplicate then 1 else 0 end) as bigint) as duplicate_calls,
        cast(
            sum(
                case
                    when marked.is_duplicate then calls.total_cost_usd
                    else cast(0 as {{ type_usd() }})
                end
            ) as {{ type_usd() }}
        ) as duplicate_cost_usd
    from {{ ref('int_hivemind__calls') }} as marked
    inner join {{ ref('int_calls__priced') }} as calls
        on marked.call_id = calls.call_id
    group by
        calls.usage_date,
        coalesce(calls.team_id, 'unallocated'),
        coalesce(calls.project, 'unallocated'),
        calls.model_id,
        coalesce(calls.mcp_name, 'unallocated')
)

select * from final
