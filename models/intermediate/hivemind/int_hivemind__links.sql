{{ config(materialized='table', order_by=['link_id']) }}

{# Episodes of fingerprints that are alike, no further apart than the window. #}
with

episodes as (
    select
        episode_id,
        min(fingerprint_id) as fingerprint_id,
        min(asked_at) as first_asked_at,
        max(asked_at) as last_asked_at
    from {{ ref('int_hivemind__episodes') }}
    group by episode_id
),

final as (
    select
        row_number() over (
            order by firsts.episode_id asc, seconds.episode_id asc
        ) as link_id,
        firsts.episode_id as first_episode_id,
        seconds.episode_id as second_episode_id
    from {{ ref('int_hivemind__pairs') }} as pairs
    inner join episodes as firsts
        on pairs.first_id = firsts.fingerprint_id
    inner join episodes as seconds
        on pairs.second_id = seconds.fingerprint_id
    where
        firsts.first_asked_at <= {{ in_window('seconds.last_asked_at') }}
        and seconds.first_asked_at <= {{ in_window('firsts.last_asked_at') }}
)

select * from final
