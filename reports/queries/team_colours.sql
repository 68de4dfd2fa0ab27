-- The seven dearest of all time have a colour each, the same on every page; the others are grey.
select
    case team_id when 'unallocated' then 'No team' else team_id end as name,
    row_number() over (order by sum(total_cost_usd) desc nulls last, team_id) - 1 as colour
from marts.cost_by_team
where team_id <> 'unallocated'
group by team_id
having sum(total_cost_usd) is not null
order by colour
limit 7
