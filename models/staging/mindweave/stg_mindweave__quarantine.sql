with

source as (
    select * from {{ source('mindweave', 'quarantine') }}
),

renamed as (
    select
        -- ids
        load_id,

        -- strings
        source,
        location,
        reason,
        row_fingerprint,

        -- quantities
        line_number,
        row_bytes,

        -- timestamps
        quarantined_at
    from source
)

select * from renamed
