with

source as (
    select * from {{ source('mindweave', 'content_fingerprints') }}
),

renamed as (
    select
        -- ids
        load_id,
        dedup_hash,

        -- strings
        source,
        content_kind,
        normalization,
        sketch,

        -- quantities
        shingle_count,
        sketch_size
    from source
)

select * from renamed
