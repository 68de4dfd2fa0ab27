{{ config(order_by=['checked_at', 'check_id'], partition_by='toYYYYMM(checked_at)') }}

with

results as (
    select
        *,
        row_number() over (partition by check_id order by checked_at desc) as recency
    from {{ ref('stg_mindweave__expectation_results') }}
),

final as (
    select
        check_id,
        '{{ customer() }}' as customer_id,
        source,
        load_id,
        table_name,
        column_name,
        expectation,
        severity,
        is_success,
        unexpected_count,
        observed_value,
        checked_at
    from results
    where recency = 1
)

select * from final
