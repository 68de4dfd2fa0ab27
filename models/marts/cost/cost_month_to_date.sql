{{ config(order_by=['team_id', 'model_id']) }}

{#
  The month of the last whole day, against the same days of the month before. A day is whole once a
  source of calls was loaded after its end; before the first is over, it is the day itself.
#}
with

daily as (
    select * from {{ ref('cost_by_team_daily') }}
),

loads as (
    select max(through_date) as whole_date
    from {{ ref('data_freshness') }}
    where last_called_at is not null
),

first_days as (
    select min(daily.usage_date) as first_date
    from daily
),

last_days as (
    select
        greatest(loads.whole_date, first_days.first_date) as through_date,
        loads.whole_date >= first_days.first_date as is_whole_day
    from loads
    cross join first_days
    where first_days.first_date is not null and loads.whole_date is not null
),

months as (
    select
        through_date,
        is_whole_day,
        cast({{ dbt.date_trunc('month', 'through_date') }} as date) as period,
        cast({{ dbt.dateadd('day', -27, 'through_date') }} as date) as recent_date
    from last_days
),

neighbours as (
    select
        *,
        cast({{ dbt.dateadd('month', -1, 'period') }} as date) as previous_period,
        cast({{ dbt.dateadd('month', 1, 'period') }} as date) as next_period
    from months
),

lengths as (
    select
        *,
        {{ dbt.datediff('period', 'through_date', 'day') }} as later_days,  -- noqa: LT05
        {{ dbt.datediff('through_date', 'next_period', 'day') }} - 1 as days_left  -- noqa: LT05
    from neighbours
),

windows as (
    select
        lengths.*,
        least(
            cast({{ dbt.dateadd('day', 'lengths.later_days', 'lengths.previous_period') }} as date),
            cast({{ dbt.dateadd('day', -1, 'lengths.period') }} as date)
        ) as previous_through_date,
        {{ dbt.datediff(
            'greatest(lengths.recent_date, first_days.first_date)', 'lengths.through_date', 'day'
        ) }} + 1 as recent_days
    from lengths
    cross join first_days
),

placed as (
    select
        daily.team_id as team_id,
        daily.model_id as model_id,
        daily.total_calls as total_calls,
        daily.total_cost_usd as total_cost_usd,
        daily.unpriced_calls as unpriced_calls,
        windows.period as period,
        windows.through_date as through_date,
        windows.is_whole_day as is_whole_day,
        windows.days_left as days_left,
        windows.recent_days as recent_days,
        daily.usage_date >= windows.period as is_current,
        daily.usage_date < windows.period and daily.usage_date >= windows.previous_period
            as is_previous_month,
        daily.usage_date >= windows.previous_period
        and daily.usage_date <= windows.previous_through_date as is_previous,
        daily.usage_date >= windows.recent_date as is_recent
    from daily
    cross join windows
    where daily.usage_date <= windows.through_date
),

summed as (
    select
        placed.period as period,
        placed.through_date as through_date,
        placed.is_whole_day as is_whole_day,
        placed.team_id as team_id,
        placed.model_id as model_id,
        placed.days_left as days_left,
        placed.recent_days as recent_days,
        sum(case when placed.is_current then placed.total_calls else 0 end) as total_calls,
        sum(case when placed.is_current then placed.total_cost_usd end) as total_cost_usd,
        sum(case when placed.is_current then placed.unpriced_calls else 0 end) as unpriced_calls,
        sum(case when placed.is_previous then placed.total_calls else 0 end) as previous_calls,
        sum(case when placed.is_previous then placed.total_cost_usd end) as previous_cost_usd,
        sum(case when placed.is_previous_month then placed.total_cost_usd end)
            as previous_month_cost_usd,
        sum(case when placed.is_recent then placed.total_cost_usd end) as recent_cost_usd
    from placed
    where placed.is_recent or placed.is_current or placed.is_previous_month
    group by
        placed.period,
        placed.through_date,
        placed.is_whole_day,
        placed.team_id,
        placed.model_id,
        placed.days_left,
        placed.recent_days
),

final as (
    select
        period,
        through_date,
        cast(is_whole_day as {{ dbt.type_boolean() }}) as is_whole_day,
        '{{ customer() }}' as customer_id,
        team_id,
        model_id,
        cast(total_calls as {{ dbt.type_bigint() }}) as total_calls,
        cast(total_cost_usd as {{ type_usd() }}) as total_cost_usd,
        cast(unpriced_calls as {{ dbt.type_bigint() }}) as unpriced_calls,
        cast(previous_calls as {{ dbt.type_bigint() }}) as previous_calls,
        cast(previous_cost_usd as {{ type_usd() }}) as previous_cost_usd,
        cast(previous_month_cost_usd as {{ type_usd() }}) as previous_month_cost_usd,
        cast(
            coalesce(total_cost_usd, 0)
            + coalesce({{ divide_usd('recent_cost_usd * days_left', 'recent_days') }}, 0)
            as {{ type_usd() }}
        ) as forecast_cost_usd
    from summed
)

select * from final
