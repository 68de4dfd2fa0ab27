{#
  The price book, per token. `price_version` names one row and everything it says: where any of it
  changes, so does the version, and the calls priced with the old one are priced again. In whole
  numbers, as databases differ in how they write a decimal.
#}
{% set what_it_says = [] %}
{% for column in [
    'prompt_tokens_above', 'valid_to_date', 'input_usd', 'cache_write_5m_usd', 'cache_write_1h_usd',
    'cache_read_usd', 'output_usd', 'web_search_usd', 'fast_multiplier', 'fast_from_date',
    'fast_to_date', 'us_inference_multiplier'
] %}
{% set whole = "cast(cast(" ~ column ~ " as numeric(38, 12)) * 1000000000000 as bigint)" %}
{% set value = whole if column.endswith(('_usd', '_multiplier')) else column %}
{% do what_it_says.append("coalesce(cast(" ~ value ~ " as " ~ dbt.type_string() ~ "), '')") %}
{% endfor %}

with

prices as (
    select * from {{ ref('model_prices') }}
),

bands as (
    select * from {{ ref('price_bands') }}
),

per_token as (
    select
        prices.vendor,
        prices.model_id,
        prices.price_band,
        bands.prompt_tokens_above,
        coalesce(prices.valid_from_date, cast('1970-01-01' as date)) as valid_from_date,
        coalesce(prices.valid_to_date, cast('2100-01-01' as date)) as valid_to_date,
        {{ unit_price_usd('prices.input_usd_per_mtok', '0.000001') }} as input_usd,
        {{ unit_price_usd('prices.cache_write_5m_usd_per_mtok', '0.000001') }}
            as cache_write_5m_usd,
        {{ unit_price_usd('prices.cache_write_1h_usd_per_mtok', '0.000001') }}
            as cache_write_1h_usd,
        {{ unit_price_usd('prices.cache_read_usd_per_mtok', '0.000001') }} as cache_read_usd,
        {{ unit_price_usd('prices.output_usd_per_mtok', '0.000001') }} as output_usd,
        {{ unit_price_usd('prices.web_search_usd_per_1k', '0.001') }} as web_search_usd,
        prices.fast_multiplier,
        coalesce(prices.fast_from_date, cast('1970-01-01' as date)) as fast_from_date,
        coalesce(prices.fast_to_date, cast('2100-01-01' as date)) as fast_to_date,
        cast(coalesce(prices.us_inference_multiplier, 1) as numeric(9, 4))
            as us_inference_multiplier
    from prices
    inner join bands
        on prices.price_band = bands.price_band
    -- a model that is known without a price stays unpriced
    where prices.input_usd_per_mtok is not null
),

versioned as (
    select
        *,
        model_id || '/' || price_band || '/'
        || cast(valid_from_date as {{ dbt.type_string() }}) || '/'
        || substr({{ sha256_hex(what_it_says | join(" || '|' || ")) }}, 1, 8) as price_version
    from per_token
)

select * from versioned
