{{ config(materialized='table', order_by=['call_id']) }}

{# What similar work there was to every model call whose request somebody saw. #}
with

final as (
    select
        calls.call_id as call_id,
        calls.dedup_hash as dedup_hash,
        cast(
            coalesce(not patterns.is_original, false) as {{ dbt.type_boolean() }}
        ) as is_duplicate,
        case
            when not patterns.is_original then patterns.original_request_id
        end as duplicate_of_call_id
    from {{ ref('int_prompts__calls') }} as calls
    left join {{ ref('int_hivemind__pattern_requests') }} as patterns
        on calls.request_id = patterns.request_id
        and patterns.content_kind = 'prompt'
)

select * from final
