-- bands of one threshold take the same prompts, whatever they are called
with

prices as (
    select
        model_prices.vendor,
        model_prices.model_id,
        price_bands.prompt_tokens_above,
        model_prices.known_from_date,
        model_prices.valid_from_date,
        model_prices.valid_to_date
    from {{ ref('model_prices') }} as model_prices
    inner join {{ ref('price_bands') }} as price_bands
        on model_prices.price_band = price_bands.price_band
),

{{ reach_of_earlier_periods(
    'prices',
    ['vendor', 'model_id', 'prompt_tokens_above', 'known_from_date'],
    'valid_from_date',
    'valid_to_date'
) }}

select *
from periods
where
    period_to <= period_from
    or (period_number > 1 and period_from < reach_of_earlier)
