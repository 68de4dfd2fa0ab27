-- between a model's first and last day every day has a price, and one for short prompts, too
with

prices as (
    select
        model_prices.vendor,
        model_prices.model_id,
        price_bands.prompt_tokens_above,
        model_prices.valid_from_date,
        model_prices.valid_to_date
    from {{ ref('model_prices') }} as model_prices
    inner join {{ ref('price_bands') }} as price_bands
        on model_prices.price_band = price_bands.price_band
),

{{ reach_of_earlier_periods(
    'prices',
    ['vendor', 'model_id', 'prompt_tokens_above'],
    'valid_from_date',
    'valid_to_date'
) }},

models as (
    select
        vendor,
        model_id,
        min(period_from) as first_day,
        max(period_to) as last_day,
        min(case when prompt_tokens_above < 0 then period_from end) as first_day_of_short,
        max(case when prompt_tokens_above < 0 then period_to end) as last_day_of_short
    from periods
    group by vendor, model_id
)

select
    vendor,
    model_id,
    reach_of_earlier as day_without_price
from periods
where
    period_number > 1
    and period_from > reach_of_earlier

union all

select
    vendor,
    model_id,
    first_day as day_without_price
from models
where
    first_day_of_short is null
    or first_day < first_day_of_short
    or last_day > last_day_of_short
