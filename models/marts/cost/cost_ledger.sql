{{ config(
    order_by=['billing_period', 'charge_period', 'team_id', 'model_id'],
    partition_by='toYYYYMM(billing_period)'
) }}

{#
  What is billed in which month. A closed month is what was written down when it was closed. What is
  known now of its usage is held against all that was ever posted for it, and the difference is posted
  in the first open month; once that is closed too, only what changes afterwards is a difference.
#}
{% set usage = [
    'total_calls', 'input_tokens', 'cache_write_5m_tokens', 'cache_write_1h_tokens',
    'cache_read_tokens', 'output_tokens'
] %}
{% set money = ['list_cost_usd', 'total_cost_usd'] %}
{% set counts = usage + ['unpriced_calls'] %}
{% set no_more, no_more_of_the_model, no_more_of_the_month = [], [], [] %}
{% for measure in usage %}
{% do no_more.append(measure ~ ' = 0') %}
{% do no_more_of_the_model.append('sum(' ~ measure ~ ') over of_the_model = 0') %}
{% do no_more_of_the_month.append('sum(' ~ measure ~ ') over of_the_month = 0') %}
{% endfor %}
with

closes as (
    select * from {{ ref('stg_mindweave__month_closes') }}
),

last_close as (
    select coalesce(max(billing_period), cast('1970-01-01' as date)) as last_period
    from closes
),

-- a month that was closed without anything has a row without a team
closed as (
    select
        *,
        row_number() over (
            partition by charge_period, model_id
            order by billing_period desc, team_id asc
        ) as recency
    from closes
    where team_id is not null
),

daily as (
    select
        *,
        cast({{ dbt.date_trunc('month', 'usage_date') }} as date) as charge_period
    from {{ ref('int_costs__daily') }}
    where total_calls > 0
),

costs as (
    select
        {% for measure in counts %}
        cast(sum({{ measure }}) as bigint) as {{ measure }},
        {% endfor %}
        {% for measure in money %}
        cast(sum({{ measure }}) as {{ type_usd() }}) as {{ measure }},
        {% endfor %}
        charge_period,
        team_id,
        model_id
    from daily
    group by charge_period, team_id, model_id
),

costs_of_closed_months as (
    select * from costs
    where charge_period <= (select last_close.last_period from last_close)
),

costs_of_open_months as (
    select * from costs
    where charge_period > (select last_close.last_period from last_close)
),

posted as (
    select
        {% for measure in counts + money %}
        sum({{ measure }}) as {{ measure }},
        {% endfor %}
        charge_period,
        team_id,
        model_id
    from closed
    group by charge_period, team_id, model_id
),

differences as (
    select
        {% for measure in counts %}
        cast(coalesce(known.{{ measure }}, 0) - coalesce(posted.{{ measure }}, 0) as bigint)
            as {{ measure }},
        {% endfor %}
        {% for measure in money %}
        case
            when known.{{ measure }} is not null or posted.{{ measure }} is not null
                then coalesce(known.{{ measure }}, 0) - coalesce(posted.{{ measure }}, 0)
        end as {{ measure }},
        {% endfor %}
        coalesce(known.charge_period, posted.charge_period) as charge_period,
        coalesce(known.team_id, posted.team_id) as team_id,
        coalesce(known.model_id, posted.model_id) as model_id
    from costs_of_closed_months as known
    full outer join posted
        on known.charge_period = posted.charge_period
        and known.team_id = posted.team_id
        and known.model_id = posted.model_id
),

judged as (
    select
        *,
        {{ no_more | join(' and ') }} as is_same_usage,
        -- the same calls and tokens, of another team or another model
        ({{ no_more_of_the_model | join(' and ') }})
        or ({{ no_more_of_the_month | join(' and ') }}) as is_moved_usage
    from differences
    window
        of_the_model as (partition by charge_period, model_id),
        of_the_month as (partition by charge_period)
),

corrections as (
    select
        cast({{ dbt.dateadd('month', 1, 'last_close.last_period') }} as date) as billing_period,
        judged.charge_period as charge_period,
        judged.team_id as team_id,
        judged.model_id as model_id,
        {% for measure in counts + money %}
        judged.{{ measure }} as {{ measure }},
        {% endfor %}
        case
            when judged.is_same_usage then ''
            when judged.is_moved_usage then 'attribution'
            else 'late usage'
        end as usage_reason,
        case
            when judged.is_same_usage then 'price correction'
            when closed.model_id is null then ''
            when coalesce(book.prices_fingerprint, '') = coalesce(closed.prices_fingerprint, '')
                then ''
            else ' and price correction'
        end as price_reason,
        book.prices_fingerprint as prices_fingerprint
    from judged
    cross join last_close
    left join closed
        on judged.charge_period = closed.charge_period
        and judged.model_id = closed.model_id
        and closed.recency = 1
    left join {{ ref('int_prices__by_month') }} as book
        on judged.charge_period = book.charge_period
        and judged.model_id = book.model_id
    where
        not judged.is_same_usage
        or judged.unpriced_calls != 0
        or coalesce(judged.list_cost_usd, 0) != 0
        or coalesce(judged.total_cost_usd, 0) != 0
),

rows_of_the_ledger as (
    select
        billing_period,
        charge_period,
        charge_class,
        team_id,
        model_id,
        reason,
        true as is_closed,
        {% for measure in counts + money %}
        {{ measure }},
        {% endfor %}
        prices_fingerprint,
        closed_at
    from closed

    union all

    select
        billed.charge_period as billing_period,
        billed.charge_period as charge_period,
        cast(null as {{ dbt.type_string() }}) as charge_class,
        billed.team_id as team_id,
        billed.model_id as model_id,
        cast(null as {{ dbt.type_string() }}) as reason,
        false as is_closed,
        {% for measure in counts + money %}
        billed.{{ measure }} as {{ measure }},
        {% endfor %}
        book.prices_fingerprint as prices_fingerprint,
        cast(null as {{ dbt.type_timestamp() }}) as closed_at
    from costs_of_open_months as billed
    left join {{ ref('int_prices__by_month') }} as book
        on billed.charge_period = book.charge_period
        and billed.model_id = book.model_id

    union all

    select
        billing_period,
        charge_period,
        'Correction' as charge_class,
        team_id,
        model_id,
        usage_reason || price_reason as reason,
        false as is_closed,
        {% for measure in counts + money %}
        {{ measure }},
        {% endfor %}
        prices_fingerprint,
        cast(null as {{ dbt.type_timestamp() }}) as closed_at
    from corrections
),

final as (
    select
        billing_period,
        charge_period,
        charge_class,
        '{{ customer() }}' as customer_id,
        team_id,
        model_id,
        reason,
        is_closed,
        {% for measure in counts %}
        {{ measure }},
        {% endfor %}
        {% for measure in money %}
        cast({{ measure }} as {{ type_usd() }}) as {{ measure }},
        {% endfor %}
        prices_fingerprint,
        closed_at
    from rows_of_the_ledger
)

select * from final
