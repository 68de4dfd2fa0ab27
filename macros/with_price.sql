{#- Each request beside the row of the price book that it goes by; one without a price stays. -#}
{% macro with_price(requests) -%}
    select
        {{ requests }}.*,
        prices.price_version,
        prices.input_usd,
        prices.cache_write_5m_usd,
        prices.cache_write_1h_usd,
        prices.cache_read_usd,
        prices.output_usd,
        prices.web_search_usd,
        prices.batch_multiplier,
        prices.fast_multiplier,
        prices.us_inference_multiplier,
        prices.regional_endpoint_multiplier,
        prices.contract_multiplier
    from {{ requests }}
    left join {{ ref('int_prices__in_force') }} as prices
        on {{ is_priced_by(requests, 'prices') }}
{%- endmacro %}
