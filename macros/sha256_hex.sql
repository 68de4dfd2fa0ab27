{#- The SHA-256 of a text as 64 lower-case hex digits. -#}
{% macro sha256_hex(text) -%}
    {{- return(adapter.dispatch('sha256_hex', 'mindweave')(text)) -}}
{%- endmacro %}

{% macro default__sha256_hex(text) -%}
    encode(sha256(convert_to({{ text }}, 'UTF8')), 'hex')
{%- endmacro %}

{% macro duckdb__sha256_hex(text) -%}
    sha256({{ text }})
{%- endmacro %}

{% macro clickhouse__sha256_hex(text) -%}
    lower(hex(SHA256({{ text }})))
{%- endmacro %}

{#- Texts in one hash, which sorts the same on every engine as texts do not; null is empty. -#}
{% macro texts_hash(columns) -%}
    {%- set texts = [] -%}
    {%- for column in columns -%}
        {%- do texts.append("coalesce(" ~ column ~ ", '')") -%}
    {%- endfor -%}
    {{- sha256_hex(texts | join(" || '|' || ")) -}}
{%- endmacro %}
