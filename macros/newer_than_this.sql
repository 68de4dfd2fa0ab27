{#- Whether a row was processed after everything this incremental model holds. -#}
{% macro newer_than_this(column_name='processed_at') -%}
    {{ column_name }} > (
        select coalesce(max(processed_at), cast('1970-01-01' as {{ dbt.type_timestamp() }}))
        from {{ this }}
    )
{%- endmacro %}
