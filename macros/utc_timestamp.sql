{#- A time that knows its zone, as what the models call a time: UTC, and without one. -#}
{% macro utc_timestamp(time_with_zone) -%}
    {{- return(adapter.dispatch('utc_timestamp', 'mindweave')(time_with_zone)) -}}
{%- endmacro %}

{% macro default__utc_timestamp(time_with_zone) -%}
    cast({{ time_with_zone }} at time zone 'UTC' as {{ dbt.type_timestamp() }})
{%- endmacro %}

{% macro clickhouse__utc_timestamp(time_with_zone) -%}
    cast({{ time_with_zone }} as {{ dbt.type_timestamp() }})
{%- endmacro %}
