{{ config(materialized='table', order_by=['pattern_hash', 'request_number']) }}

{#
  The requests of groups with enough people, in the order in which they were asked. The first of a
  group is its original.
#}
with

requests as (
    select * from {{ ref('int_hivemind__requests') }}
),

requests_of_groups as (
    select
        requests.content_kind as content_kind,
        requests.request_id as request_id,
        requests.request_number as request_number,
        requests.request_hash as request_hash,
        requests.person_id as person_id,
        requests.asked_at as asked_at,
        episodes.fingerprint_id as fingerprint_id,
        coalesce(joined_groups.group_id, episodes.episode_id) as group_id
    from {{ ref('int_hivemind__episodes') }} as episodes
    inner join requests
        on episodes.request_number = requests.request_number
    left join {{ ref('int_hivemind__groups') }} as joined_groups
        on episodes.episode_id = joined_groups.episode_id
),

large_groups as (
    select
        group_id,
        count(distinct person_id) as user_count
    from requests_of_groups
    group by group_id
    having count(distinct person_id) >= {{ hivemind_number('mindweave__hivemind_people') }}
        and count(*) > 1
),

final as (
    select
        requests_of_groups.content_kind as content_kind,
        requests_of_groups.request_id as request_id,
        requests_of_groups.request_number as request_number,
        requests_of_groups.request_hash as request_hash,
        requests_of_groups.fingerprint_id as fingerprint_id,
        requests_of_groups.asked_at as asked_at,
        large_groups.user_count as user_count,
        first_value(requests_of_groups.request_id) over (
            partition by requests_of_groups.group_id
            order by requests_of_groups.asked_at asc, requests_of_groups.request_number asc
        ) as original_request_id,
        first_value(requests_of_groups.request_hash) over (
            partition by requests_of_groups.group_id
            order by requests_of_groups.asked_at asc, requests_of_groups.request_number asc
        ) as pattern_hash,
        first_value(requests_of_groups.fingerprint_id) over (
            partition by requests_of_groups.group_id
            order by requests_of_groups.asked_at asc, requests_of_groups.request_number asc
        ) as original_fingerprint_id,
        lag(requests_of_groups.asked_at) over (
            partition by requests_of_groups.group_id
            order by requests_of_groups.asked_at asc, requests_of_groups.request_number asc
        ) as previous_asked_at
    from requests_of_groups
    inner join large_groups
        on requests_of_groups.group_id = large_groups.group_id
)

select * from final
