{#-
  The price of one unit, from that of many and the share that one is of them. The share is cast from
  text, as a plain 0.001 is a float on ClickHouse.
-#}
{% macro unit_price_usd(price, share) -%}
    cast({{ price }} * cast('{{ share }}' as numeric(38, 6)) as numeric(18, 12))
{%- endmacro %}
