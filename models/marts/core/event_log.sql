{{ config(materialized='view') }}

with

contents as (
    select * from {{ ref('int_events__contents') }}
),

final as (
    select
        contents.event_source as event_source,
        contents.event_id as event_id,
        '{{ customer() }}' as customer_id,
        contents.event_type as event_type,
        contents.subject as subject,
        coalesce(contents.event_at, contents.received_at) as event_at,
        cast(contents.event_at is null as {{ dbt.type_boolean() }}) as is_time_assumed,
        contents.received_at as received_at,
        contents.data as data,
        contents.content_hash as content_hash,
        contents.loaded_at as inserted_at,
        contents.load_id as load_id
    from contents
    where contents.content_rank = 1
)

select * from final
