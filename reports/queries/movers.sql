-- The team and the model that moved the month's spend the most in the direction in which it went.
with

changes as (
    select
        'team' as kind,
        case team_id when 'unallocated' then 'No team' else team_id end as name,
        sum(coalesce(total_cost_usd, 0) - coalesce(previous_cost_usd, 0)) as change_usd
    from marts.cost_month_to_date
    group by team_id

    union all

    select
        'model' as kind,
        model_id as name,
        sum(coalesce(total_cost_usd, 0) - coalesce(previous_cost_usd, 0)) as change_usd
    from marts.cost_month_to_date
    group by model_id
)

select
    changes.kind,
    changes.name,
    changes.change_usd
from changes
cross join ${summary} as summary
where sign(changes.change_usd) = sign(summary.cost_usd - summary.previous_cost_usd)
qualify row_number() over (partition by changes.kind order by abs(changes.change_usd) desc, changes.name) = 1
