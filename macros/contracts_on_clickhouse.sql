{#-
  The marts' contracts name types as SQL does, and say nothing of nulls. dbt-clickhouse compares such
  names letter by letter with ClickHouse's own, so this goes back to dbt's way: ask the server what
  both are. Only `timestamp` means something else there: it is cut to seconds.
-#}
{% macro clickhouse__get_assert_columns_equivalent(sql) -%}
    {%- for column in model['columns'].values() if column['data_type'] == 'timestamp' -%}
        {%- do column.update({'data_type': dbt.type_timestamp()}) -%}
    {%- endfor -%}
    {{- return(assert_columns_equivalent(sql)) -}}
{%- endmacro %}
