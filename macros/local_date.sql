{#- The day of a UTC time in the customer's time zone. -#}
{% macro local_date(utc_timestamp) -%}
    {{- return(adapter.dispatch('local_date', 'mindweave')(utc_timestamp)) -}}
{%- endmacro %}

{% macro default__local_date(utc_timestamp) -%}
    cast(
        {{ utc_timestamp }} at time zone 'UTC' at time zone '{{ var("mindweave__time_zone") }}'
        as date
    )
{%- endmacro %}

{% macro clickhouse__local_date(utc_timestamp) -%}
    toDate({{ utc_timestamp }}, '{{ var("mindweave__time_zone") }}')
{%- endmacro %}
