{{ config(order_by=['source']) }}

with

loads as (
    select
        source,
        max(loaded_at) as last_loaded_at
    from {{ ref('int_loads__numbered') }}
    group by source
),

calls as (
    select
        source,
        min(called_at) as first_called_at,
        max(called_at) as last_called_at,
        max(usage_date) as as_of_date
    from {{ ref('int_calls__priced') }}
    where merged_into_call_id is null
    group by source
),

final as (
    select
        '{{ customer() }}' as customer_id,
        loads.source,
        '{{ var("mindweave__time_zone") }}' as time_zone,
        'USD' as billing_currency,
        calls.first_called_at,
        calls.last_called_at,
        loads.last_loaded_at,
        calls.as_of_date,
        cast(
            {{ dbt.dateadd('day', -1, local_date('loads.last_loaded_at')) }} as date
        ) as through_date
    from loads
    left join calls
        on loads.source = calls.source
)

select * from final
