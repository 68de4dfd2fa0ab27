{{ config(materialized='table', order_by=['first_id', 'second_id']) }}

{# Pairs of fingerprints that are as alike as the threshold asks, in whole numbers. #}
with

candidates as (
    select * from {{ ref('int_hivemind__candidates') }}
),

similarities as (
    {{ similarities('candidates') }}
),

final as (
    select
        first_id,
        second_id,
        is_exact,
        cast(shared_count as bigint) as shared_count,
        cast(compared_count as bigint) as compared_count
    from similarities
    where shared_count * 1000000 >= compared_count * {{ hivemind_threshold() }}
)

select * from final
