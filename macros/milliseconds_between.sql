{#- From the millisecond of one time to that of a later one. -#}
{% macro milliseconds_between(start_at, end_at) -%}
    {{- return(adapter.dispatch('milliseconds_between', 'mindweave')(start_at, end_at)) -}}
{%- endmacro %}

{% macro default__milliseconds_between(start_at, end_at) -%}
    cast(
        floor(extract(epoch from {{ end_at }}) * 1000)
        - floor(extract(epoch from {{ start_at }}) * 1000)
        as bigint
    )
{%- endmacro %}

{% macro duckdb__milliseconds_between(start_at, end_at) -%}
    epoch_ms({{ end_at }}) - epoch_ms({{ start_at }})
{%- endmacro %}

{% macro clickhouse__milliseconds_between(start_at, end_at) -%}
    dateDiff('millisecond', {{ start_at }}, {{ end_at }})
{%- endmacro %}
