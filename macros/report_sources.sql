{#- The sources that have a `stg_<source>__usage_buckets`: one joins the reconciliation by its name here. -#}
{% macro usage_bucket_sources() -%}
    {{- return(['mindweave', 'openai_admin']) -}}
{%- endmacro %}

{#- The sources that have a `stg_<source>__costs`. -#}
{% macro cost_sources() -%}
    {{- return(['mindweave', 'openai_admin']) -}}
{%- endmacro %}
