{{ config(materialized='table', order_by=['scope_id', 'shingle']) }}

{# The hashes that each sketch keeps, from the smallest on. #}
with

fingerprints as (
    select * from {{ ref('int_hivemind__fingerprints') }}
),

placed as (
    select
        fingerprint_id,
        scope_id,
        sketch,
        {{ one_to('kept_count') }} as place
    from fingerprints
    where kept_count > 0
),

final as (
    select
        fingerprint_id,
        scope_id,
        cast(place as bigint) as place,
        {{ hex_to_bigint('substr(sketch, cast(place * 16 - 15 as integer), 16)') }} as shingle
    from placed
)

select * from final
