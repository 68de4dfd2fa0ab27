{{ config(materialized='table', order_by=['first_id', 'second_id']) }}

{# Every fingerprint in a pattern beside that of the original, where it is another. #}
with

final as (
    select distinct
        members.original_fingerprint_id as first_id,
        members.fingerprint_id as second_id,
        originals.is_whole and repeats.is_whole as is_exact
    from {{ ref('int_hivemind__members') }} as members
    inner join {{ ref('int_hivemind__fingerprints') }} as originals
        on members.original_fingerprint_id = originals.fingerprint_id
    inner join {{ ref('int_hivemind__fingerprints') }} as repeats
        on members.fingerprint_id = repeats.fingerprint_id
    where members.original_fingerprint_id != members.fingerprint_id
)

select * from final
