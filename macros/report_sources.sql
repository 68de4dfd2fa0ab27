{#- The sources that have a `stg_<source>__usage_buckets`: one joins the marts by its name here. -#}
{% macro usage_bucket_sources() -%}
    {{- return(['anthropic_admin', 'claude_code_otel', 'mindweave', 'openai_admin']) -}}
{%- endmacro %}

{#- The sources that have a `stg_<source>__costs`. -#}
{% macro cost_sources() -%}
    {{- return(['anthropic_admin', 'mindweave', 'openai_admin']) -}}
{%- endmacro %}
