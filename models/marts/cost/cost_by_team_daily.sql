{{ config(order_by=['usage_date', 'team_id', 'model_id'], partition_by='toYYYYMM(usage_date)') }}

with

daily as (
    select * from {{ ref('int_costs__with_duplicates') }}
),

final as (
    select
        usage_date,
        '{{ customer() }}' as customer_id,
        team_id,
        model_id,
        {{ cost_measures() }}
    from daily
    where total_calls > 0
    group by usage_date, team_id, model_id
)

select * from final
