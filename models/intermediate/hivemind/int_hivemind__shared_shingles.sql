{{ config(materialized='table', order_by=['scope_id', 'shingle']) }}

{# The shingles of at least two fingerprints: most have none but their own. #}
with

final as (
    select
        scope_id,
        shingle,
        count(*) as fingerprint_count
    from {{ ref('int_hivemind__shingles') }}
    group by scope_id, shingle
    having count(*) > 1
)

select * from final
