{#-
  dbt's types as they are on the other engines: any value may be null, times have microseconds and
  are UTC. ClickHouse's own are never null unless a reader's settings say so, which a view on a mart
  must not hang on; and its own time is cut to seconds.
-#}
{% macro clickhouse__type_string() -%}
    Nullable(String)
{%- endmacro %}

{% macro clickhouse__type_bigint() -%}
    Nullable(Int64)
{%- endmacro %}

{% macro clickhouse__type_boolean() -%}
    Nullable(Bool)
{%- endmacro %}

{% macro clickhouse__type_timestamp() -%}
    Nullable(DateTime64(6, 'UTC'))
{%- endmacro %}
