{{ config(materialized='table', order_by=['pattern_hash', 'request_hash']) }}

{#
  The requests of every pattern, and how similar each is to the original. `published_hash` is what the
  marts call the pattern: fewer people than the privacy floor are among the others.
#}
with

members as (
    select * from {{ ref('int_hivemind__members') }}
),

pairs as (
    select * from {{ ref('int_hivemind__original_pairs') }}
),

similarities as (
    {{ similarities('pairs') }}
),

final as (
    select
        members.pattern_hash as pattern_hash,
        case
            when members.user_count >= {{ hivemind_number('mindweave__privacy_floor') }}
                then members.pattern_hash
            when members.content_kind = 'prompt' then 'other'
            else 'other_tool_calls'
        end as published_hash,
        members.content_kind as content_kind,
        members.request_id as request_id,
        members.request_number as request_number,
        members.request_hash as request_hash,
        members.original_request_id as original_request_id,
        cast(
            members.request_hash = members.pattern_hash as {{ dbt.type_boolean() }}
        ) as is_original,
        case
            when members.original_fingerprint_id = members.fingerprint_id
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
                members.request_hash != members.pattern_hash
                and members.asked_at
                <= {{ dbt.dateadd('hour', 1, 'members.previous_asked_at') }}
                then 1
            else 0
        end as is_within_the_hour
    from members
    left join similarities
        on members.original_fingerprint_id = similarities.first_id
        and members.fingerprint_id = similarities.second_id
)

select * from final
