{#- That a CTE is to be made once and kept, where a database would put it into what reads it. -#}
{% macro materialized() -%}
    {{- return(adapter.dispatch('materialized', 'mindweave')()) -}}
{%- endmacro %}

{% macro default__materialized() -%}
    materialized
{%- endmacro %}

{% macro clickhouse__materialized() -%}
{%- endmacro %}
