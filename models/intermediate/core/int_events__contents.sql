{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['event_source', 'event_id'],
    on_schema_change='fail',
    order_by=['event_source', 'event_id'],
    sharding_key='sipHash64(assumeNotNull(event_id))'
) }}

{#
  What was received under one id of one source, each content once, in the order of receipt: the first
  is the event, any other a conflict. Receipts in one instant go by their lines, then by content, so
  that the order of loading never matters.
#}
with

loads as (
    select * from {{ ref('int_loads__numbered') }}
),

received as (
    select
        events.event_source as event_source,
        events.event_id as event_id,
        events.content_hash as content_hash,
        events.event_type as event_type,
        events.subject as subject,
        events.event_at as event_at,
        events.received_at as received_at,
        events.line_number as line_number,
        events.data as data,
        events.load_id as load_id,
        loads.loaded_at as loaded_at,
        loads.processed_at as processed_at
    from {{ ref('stg_events__events') }} as events
    inner join loads
        on events.load_id = loads.load_id
),

{% if is_incremental() %}
    changed as (
        select
            event_source,
            event_id
        from received
        where {{ newer_than_this() }}
    ),
{% endif %}

sights as (
    select
        *,
        row_number() over (
            partition by event_source, event_id, content_hash
            order by received_at asc, line_number asc, loaded_at asc, load_id asc
        ) as sight_rank,
        count(*) over (partition by event_source, event_id, content_hash) as sight_count,
        max(processed_at) over (partition by event_source, event_id) as last_processed_at
    from received
    {% if is_incremental() %}
        where
            (event_source, event_id)
            in (select changed.event_source, changed.event_id from changed)
    {% endif %}
),

final as (
    select
        event_source,
        event_id,
        content_hash,
        row_number() over (
            partition by event_source, event_id
            order by received_at asc, line_number asc, content_hash asc
        ) as content_rank,
        sight_count,
        event_type,
        subject,
        event_at,
        received_at,
        data,
        load_id,
        loaded_at,
        last_processed_at as processed_at
    from sights
    where sight_rank = 1
)

select * from final
