{{ config(materialized='view') }}

{# Whatever a source says of a call's cost is kept, beside what the price book makes of it. #}
with

observations as (
    select * from {{ ref('int_calls__observations') }}
),

calls as (
    select
        call_id,
        usage_date,
        total_cost_usd
    from {{ ref('mcp_calls') }}
),

told as (
    select
        call_id,
        source,
        cast(count(*) as bigint) as observation_count,
        min(observed_at) as first_observed_at,
        cast(max(total_tokens) as bigint) as total_tokens,
        max(reported_cost_usd) as reported_cost_usd,
        max(reported_cost_basis) as reported_cost_basis
    from observations
    group by call_id, source
),

final as (
    select
        told.call_id as call_id,
        told.source as source,
        '{{ customer() }}' as customer_id,
        calls.usage_date as usage_date,
        told.observation_count as observation_count,
        told.first_observed_at as first_observed_at,
        told.total_tokens as total_tokens,
        told.reported_cost_usd as reported_cost_usd,
        told.reported_cost_basis as reported_cost_basis,
        cast(told.reported_cost_usd - calls.total_cost_usd as {{ type_usd() }})
            as cost_difference_usd
    from told
    inner join calls
        on told.call_id = calls.call_id
)

select * from final
