{#- The type of money: exact, 15 decimals. Not dispatched, as the marts' contracts pin it. -#}
{% macro type_usd() -%}
    numeric(38, 15)
{%- endmacro %}
