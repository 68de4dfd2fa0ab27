with

source as (
    select * from {{ source('mindweave', 'expectation_results') }}
),

packages as (
    select * from {{ ref('stg_mindweave__packages') }}
),

known as (
    select
        -- ids
        source.check_id,
        source.load_id,

        -- strings
        source.source,
        source.table_name,
        source.column_name,
        source.expectation,
        source.severity,
        source.observed_value,

        -- booleans
        source.is_success,

        -- quantities
        source.unexpected_count,

        -- timestamps
        source.checked_at
    from source
    inner join packages
        on source._dlt_load_id = packages.package_id
)

select * from known
