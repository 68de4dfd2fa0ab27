{#- The type of money: exact, 15 decimals. Not dispatched, as the marts' contracts pin it. -#}
{% macro type_usd() -%}
    {{- "Nullable(Decimal(38, 15))" if target.type == "clickhouse" else "numeric(38, 15)" -}}
{%- endmacro %}
