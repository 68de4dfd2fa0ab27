{{ config(materialized='view') }}

with

contents as (
    select * from {{ ref('int_events__contents') }}
),

final as (
    select
        event_source,
        event_id,
        '{{ customer() }}' as customer_id,
        event_type,
        subject,
        coalesce(event_at, received_at) as event_at,
        cast(event_at is null as {{ dbt.type_boolean() }}) as is_time_assumed,
        received_at,
        data,
        content_hash,
        loaded_at as inserted_at,
        load_id
    from contents
    where content_rank = 1
)

select * from final
