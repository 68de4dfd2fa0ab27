-- ten rounds join every chain that there is
select links.link_id
from {{ ref('int_hivemind__links') }} as links
inner join {{ ref('int_hivemind__groups') }} as firsts
    on links.first_episode_id = firsts.episode_id
inner join {{ ref('int_hivemind__groups') }} as seconds
    on links.second_episode_id = seconds.episode_id
where firsts.group_id != seconds.group_id
