{#
  What the price book says of a model in a month, as one text: two that are equal say the same. A price
  counts from its first to its last day of the month, however the book cuts that time.
#}
with

months as (
    select distinct
        cast({{ dbt.date_trunc('month', 'usage_date') }} as date) as charge_period,
        model_id
    from {{ ref('int_costs__daily') }}
    where total_calls > 0
),

bounded_months as (
    select
        charge_period,
        cast({{ dbt.dateadd('month', 1, 'charge_period') }} as date) as next_period,
        model_id
    from months
),

prices as (
    select
        bounded_months.charge_period as charge_period,
        prices.vendor as vendor,
        prices.model_id as model_id,
        prices.prompt_tokens_above as prompt_tokens_above,
        prices.price_version as price_version,
        greatest(min(prices.valid_from_date), bounded_months.charge_period) as first_date,
        least(max(prices.valid_to_date), bounded_months.next_period) as end_date
    from bounded_months
    inner join {{ ref('int_prices__in_force') }} as prices
        on bounded_months.model_id = prices.model_id
    where
        prices.valid_from_date < bounded_months.next_period
        and prices.valid_to_date > bounded_months.charge_period
    group by
        bounded_months.charge_period,
        bounded_months.next_period,
        prices.vendor,
        prices.model_id,
        prices.prompt_tokens_above,
        prices.price_version
),

written as (
    select
        charge_period,
        model_id,
        vendor || ' ' || cast(prompt_tokens_above as {{ dbt.type_string() }})
        || ' ' || cast(first_date as {{ dbt.type_string() }})
        || ' ' || cast(end_date as {{ dbt.type_string() }})
        || ' ' || price_version as price_text
    from prices
),

final as (
    select
        charge_period,
        model_id,
        {{ sha256_hex(joined_in_order('price_text')) }} as prices_fingerprint
    from written
    group by charge_period, model_id
)

select * from final
