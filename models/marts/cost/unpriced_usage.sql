{{ config(order_by=['model_id']) }}

with

calls as (
    select * from {{ ref('int_calls__priced') }}
    where
        pricing_status = 'unpriced'
        and merged_into_call_id is null
),

final as (
    select
        '{{ customer() }}' as customer_id,
        vendor,
        unpriced_model as model_id,
        min(called_at) as first_seen_at,
        max(called_at) as last_seen_at,
        cast(count(*) as bigint) as total_calls,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(cache_write_5m_tokens) as bigint) as cache_write_5m_tokens,
        cast(sum(cache_write_1h_tokens) as bigint) as cache_write_1h_tokens,
        cast(sum(cache_read_tokens) as bigint) as cache_read_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(pass_tokens) as bigint) as pass_tokens
    from calls
    group by vendor, unpriced_model
)

select * from final
