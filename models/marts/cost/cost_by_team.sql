{{ config(order_by=['period', 'team_id', 'model_id'], partition_by='toYYYYMM(period)') }}

with

daily as (
    select
        *,
        cast({{ dbt.date_trunc('month', 'usage_date') }} as date) as period
    from {{ ref('int_costs__with_duplicates') }}
),

final as (
    select
        period,
        '{{ customer() }}' as customer_id,
        team_id,
        model_id,
        {{ cost_measures() }}
    from daily
    where total_calls > 0
    group by period, team_id, model_id
)

select * from final
