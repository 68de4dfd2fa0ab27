with

source as (
    select * from {{ source('events', 'events') }}
),

renamed as (
    select
        -- ids; loaders say varchar where the marts promise text
        cast(event_source as {{ dbt.type_string() }}) as event_source,
        cast(event_id as {{ dbt.type_string() }}) as event_id,
        cast(load_id as {{ dbt.type_string() }}) as load_id,
        cast(content_hash as {{ dbt.type_string() }}) as content_hash,

        -- strings
        cast(event_type as {{ dbt.type_string() }}) as event_type,
        cast(subject as {{ dbt.type_string() }}) as subject,
        cast(data as {{ dbt.type_string() }}) as data,

        -- times
        event_at,
        received_at,
        line_number
    from source
)

select * from renamed
