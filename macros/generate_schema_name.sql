{#- Customers are schemas: customer_<slug> for marts, customer_<slug>_staging for what leads there. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set base = 'customer_' ~ customer() -%}
    {{- base if custom_schema_name is none else base ~ '_' ~ custom_schema_name | trim -}}
{%- endmacro %}
