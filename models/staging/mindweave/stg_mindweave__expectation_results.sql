with

source as (
    select * from {{ source('mindweave', 'expectation_results') }}
),

renamed as (
    select
        -- ids
        check_id,
        load_id,

        -- strings
        source,
        table_name,
        column_name,
        expectation,
        severity,
        observed_value,

        -- booleans
        is_success,

        -- quantities
        unexpected_count,

        -- timestamps
        checked_at
    from source
)

select * from renamed
