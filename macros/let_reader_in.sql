{#-
  Lets the customer's reader into the schema of the marts, once it is there. What it may select there
  is the marts' `grants`; on ClickHouse both are said once for the database, as docs/engines.md does.
-#}
{% macro let_reader_in(built_schemas) -%}
    {{- return(adapter.dispatch('let_reader_in', 'mindweave')(built_schemas)) -}}
{%- endmacro %}

{% macro default__let_reader_in(built_schemas) -%}
{%- endmacro %}

{% macro postgres__let_reader_in(built_schemas) -%}
    {%- set prefix = env_var('MINDWEAVE_READER_PREFIX', '') -%}
    {%- if prefix and target.schema in built_schemas -%}
        grant usage on schema {{ target.schema }} to {{ prefix ~ customer() }}
    {%- endif -%}
{%- endmacro %}
