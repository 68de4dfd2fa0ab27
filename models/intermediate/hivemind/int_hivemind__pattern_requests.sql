{{ config(materialized='table', order_by=['pattern_hash', 'request_hash']) }}

{#
  The requests of every pattern: a group of similar requests of enough people. The first of them is the
  original. `published_hash` is what the marts call the pattern: fewer people than the privacy floor
  are among the others.
#}
with

requests as (
    select * from {{ ref('int_hivemind__requests') }}
),

members as (
    select
        requests.content_kind as content_kind,
        requests.request_id as request_id,
        requests.request_number as request_number,
        requests.request_hash as request_hash,
        requests.person_id as person_id,
        requests.asked_at as asked_at,
        episodes.fingerprint_id as fingerprint_id,
        coalesce(groups.group_id, episodes.episode_id) as group_id
    from {{ ref('int_hivemind__episodes') }} as episodes
    inner join requests
        on episodes.request_number = requests.request_number
    left join {{ ref('int_hivemind__groups') }} as groups
        on episodes.episode_id = groups.episode_id
),

large_groups as (
    select
        group_id,
        count(distinct person_id) as user_count
    from members
    group by group_id
    having count(distinct person_id) >= {{ hivemind_number('mindweave__hivemind_people') }}
        and count(*) > 1
),

ordered as (
    select
        members.content_kind as content_kind,
        members.request_id as request_id,
        members.request_number as request_number,
        members.request_hash as request_hash,
        members.fingerprint_id as fingerprint_id,
        members.asked_at as asked_at,
        large_groups.user_count as user_count,
        first_value(members.request_id) over (
            partition by members.group_id
            order by members.asked_at asc, members.request_number asc
        ) as original_request_id,
        first_value(members.request_hash) over (
            partition by members.group_id
            order by members.asked_at asc, members.request_number asc
        ) as pattern_hash,
        first_value(members.fingerprint_id) over (
            partition by members.group_id
            order by members.asked_at asc, members.request_number asc
        ) as original_fingerprint_id,
        lag(members.asked_at) over (
            partition by members.group_id
            order by members.asked_at asc, members.request_number asc
        ) as previous_asked_at
    from members
    inner join large_groups
        on members.group_id = large_groups.group_id
),

pairs as (
    select distinct
        ordered.original_fingerprint_id as first_id,
        ordered.fingerprint_id as second_id,
        originals.is_whole and others.is_whole as is_exact
    from ordered
    inner join {{ ref('int_hivemind__fingerprints') }} as originals
        on ordered.original_fingerprint_id = originals.fingerprint_id
    inner join {{ ref('int_hivemind__fingerprints') }} as others
        on ordered.fingerprint_id = others.fingerprint_id
    where ordered.original_fingerprint_id != ordered.fingerprint_id
),

similarities as (
    {{ similarities('pairs') }}
),

final as (
    select
        ordered.pattern_hash as pattern_hash,
        case
            when ordered.user_count >= {{ hivemind_number('mindweave__privacy_floor') }}
                then ordered.pattern_hash
            when ordered.content_kind = 'prompt' then 'other'
            else 'other_tool_calls'
        end as published_hash,
        ordered.content_kind as content_kind,
        ordered.request_id as request_id,
        ordered.request_number as request_number,
        ordered.request_hash as request_hash,
        ordered.original_request_id as original_request_id,
        ordered.request_hash = ordered.pattern_hash as is_original,
        case
            when ordered.original_fingerprint_id = ordered.fingerprint_id
                then cast(1 as numeric(12, 9))
            when similarities.first_id is null then cast(0 as numeric(12, 9))
            else {{ share_of('similarities.shared_count', 'similarities.compared_count') }}
        end as similarity,
        case
            when not similarities.is_exact
                then {{ similarity_error('similarities.compared_count') }}
        end as similarity_error,
        case
            when
                ordered.request_hash != ordered.pattern_hash
                and ordered.asked_at
                <= {{ dbt.dateadd('hour', 1, 'ordered.previous_asked_at') }}
                then 1
            else 0
        end as is_within_the_hour
    from ordered
    left join similarities
        on
            ordered.original_fingerprint_id = similarities.first_id
            and ordered.fingerprint_id = similarities.second_id
)

select * from final
