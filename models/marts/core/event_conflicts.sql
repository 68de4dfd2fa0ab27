{{ config(materialized='view') }}

with

contents as (
    select * from {{ ref('int_events__contents') }}
),

final as (
    select
        conflicts.event_source as event_source,
        conflicts.event_id as event_id,
        conflicts.content_hash as content_hash,
        '{{ customer() }}' as customer_id,
        conflicts.event_type as event_type,
        conflicts.received_at as received_at,
        firsts.content_hash as first_content_hash,
        firsts.event_type as first_event_type,
        firsts.received_at as first_received_at,
        conflicts.load_id as load_id
    from contents as conflicts
    inner join contents as firsts
        on conflicts.event_source = firsts.event_source
        and conflicts.event_id = firsts.event_id
    where
        conflicts.content_rank > 1
        and firsts.content_rank = 1
)

select * from final
