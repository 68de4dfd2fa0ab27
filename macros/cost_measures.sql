{#- The measures that every cost mart has, summed from int_costs__with_duplicates; the average is of priced calls. -#}
{% macro cost_measures() -%}
    cast(sum(total_calls) as bigint) as total_calls,
    cast(sum(input_tokens) as bigint) as input_tokens,
    cast(sum(cache_write_5m_tokens) as bigint) as cache_write_5m_tokens,
    cast(sum(cache_write_1h_tokens) as bigint) as cache_write_1h_tokens,
    cast(sum(cache_read_tokens) as bigint) as cache_read_tokens,
    cast(sum(output_tokens) as bigint) as output_tokens,
    cast(sum(list_cost_usd) as {{ type_usd() }}) as list_cost_usd,
    cast(sum(total_cost_usd) as {{ type_usd() }}) as total_cost_usd,
    {{ divide_usd('sum(total_cost_usd)', 'sum(total_calls - unpriced_calls)') }}
        as avg_cost_per_call_usd,
    cast(sum(duplicate_calls) as bigint) as duplicate_calls,
    cast(sum(duplicate_cost_usd) as {{ type_usd() }}) as duplicate_cost_usd,
    cast(sum(unpriced_calls) as bigint) as unpriced_calls
{%- endmacro %}
