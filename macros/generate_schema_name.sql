{#-
  Customers are schemas: customer_<slug> for marts, customer_<slug>_staging for what leads there. A
  build for comparison writes to schemas of its own, which begin with another word or have a name of
  their own.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set base = env_var(
        'MINDWEAVE_SCHEMA', env_var('MINDWEAVE_SCHEMA_PREFIX', 'customer') ~ '_' ~ customer()
    ) -%}
    {{- base if custom_schema_name is none else base ~ '_' ~ custom_schema_name | trim -}}
{%- endmacro %}
