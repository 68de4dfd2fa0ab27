-- Every team with the address of its page, which holds no sign that an address could not.
with

named as (
    select
        team_id,
        sum(total_cost_usd) as all_cost_usd,
        trim(regexp_replace(lower(team_id), '[^a-z0-9]+', '-', 'g'), '-') as plain
    from marts.cost_by_team
    group by team_id
)

select
    team_id as value,
    case team_id when 'unallocated' then 'No team' else team_id end as label,
    coalesce(nullif(plain, ''), 'team')
    || case when plain = '' or count(*) over (partition by plain) > 1
        then '-' || row_number() over (partition by plain order by team_id) else '' end as slug,
    '/teams/' || slug || '/' as page
from named
order by all_cost_usd desc nulls last, team_id
