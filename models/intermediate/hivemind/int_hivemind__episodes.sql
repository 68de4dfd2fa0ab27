{{ config(materialized='table', order_by=['episode_id']) }}

{#
  The requests that may be in a pattern, by episodes: those of one fingerprint, each no later after the
  one before than the window. Two are near enough to be one piece of work if their episodes are.
#}
with

fingerprints as (
    select * from {{ ref('int_hivemind__fingerprints') }}
    where
        not is_a_template
        and (
            request_count > 1
            or fingerprint_id in (
                select pairs.first_id from {{ ref('int_hivemind__pairs') }} as pairs
            )
            or fingerprint_id in (
                select pairs.second_id from {{ ref('int_hivemind__pairs') }} as pairs
            )
        )
),

requests as (
    select
        requests.request_number as request_number,
        fingerprints.fingerprint_id as fingerprint_id,
        requests.asked_at as asked_at,
        lag(requests.asked_at) over (
            partition by fingerprints.fingerprint_id
            order by requests.asked_at asc, requests.request_number asc
        ) as previous_asked_at
    from {{ ref('int_hivemind__requests') }} as requests
    inner join fingerprints
        on requests.content_kind = fingerprints.content_kind
        and requests.dedup_hash = fingerprints.dedup_hash
),

gaps as (
    select
        *,
        case
            when asked_at <= {{ in_window('previous_asked_at') }} then 0
            else 1
        end as is_new
    from requests
),

numbered as (
    select
        *,
        sum(is_new) over (
            partition by fingerprint_id
            order by asked_at asc, request_number asc
            rows between unbounded preceding and current row
        ) as episode_number
    from gaps
),

final as (
    select
        request_number,
        fingerprint_id,
        asked_at,
        cast(
            dense_rank() over (order by fingerprint_id asc, episode_number asc) as bigint
        ) as episode_id
    from numbered
)

select * from final
