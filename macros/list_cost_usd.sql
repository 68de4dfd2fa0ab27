{#-
  The list price of one request that stands beside its row of the price book: each kind of token, times
  what was served; then what its server tools cost, which no multiplier touches. Null without a price,
  also where there are no tokens. Rounded by name: a cast to fewer decimals cuts on ClickHouse.
-#}
{% macro list_cost_usd() -%}
    cast(
        case
            when price_version is not null
                then round(
                    cast(
                        {{ token_cost_usd('input_tokens', 'input_usd') }}
                        + {{ token_cost_usd('cache_write_5m_tokens', 'cache_write_5m_usd') }}
                        + {{ token_cost_usd('cache_write_1h_tokens', 'cache_write_1h_usd') }}
                        + {{ token_cost_usd('cache_read_tokens', 'cache_read_usd') }}
                        + {{ token_cost_usd('output_tokens', 'output_usd') }}
                        as numeric(28, 12)
                    )
                    * {{ served_multiplier() }}
                    + cast(
                        {{ token_cost_usd('coalesce(web_search_requests, 0)', 'web_search_usd') }}
                        as numeric(28, 12)
                    ),
                    15
                )
        end
        as {{ type_usd() }}
    )
{%- endmacro %}

{#- What was served: in a batch or fast, never both; in one region; on a regional endpoint. -#}
{% macro served_multiplier() -%}
    cast(
        round(
            case
                when service_tier = 'batch' then batch_multiplier
                when speed = 'fast' then fast_multiplier
                else 1
            end
            * case when inference_geo = 'us' then us_inference_multiplier else 1 end
            * case when price_region is not null then regional_endpoint_multiplier else 1 end,
            8
        ) as numeric(12, 8)
    )
{%- endmacro %}

{#- What more it may have cost: cache writes of unknown duration, taken as kept for an hour. -#}
{% macro uncertain_cost_usd() -%}
    cast(
        case
            when cache_write_assumed_tokens = 0 then 0
            else round(
                cast(
                    {{ token_cost_usd(
                        'cache_write_assumed_tokens', '(cache_write_1h_usd - cache_write_5m_usd)'
                    ) }}
                    as numeric(28, 12)
                )
                * {{ served_multiplier() }},
                15
            )
        end
        as {{ type_usd() }}
    )
{%- endmacro %}

{#- What the contract makes of a list price. -#}
{% macro contracted_usd(list_usd) -%}
    cast(
        round(cast({{ list_usd }} as numeric(29, 15)) * contract_multiplier, 15) as {{ type_usd() }}
    )
{%- endmacro %}
