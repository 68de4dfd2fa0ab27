{#- Texts of a group in one, in the order of their bytes and apart by a bar, whatever the database. -#}
{% macro joined_in_order(text) -%}
    {{- return(adapter.dispatch('joined_in_order', 'mindweave')(text)) -}}
{%- endmacro %}

{% macro default__joined_in_order(text) -%}
    string_agg({{ text }}, '|' order by {{ text }})
{%- endmacro %}

{% macro postgres__joined_in_order(text) -%}
    string_agg({{ text }}, '|' order by {{ text }} collate "C")
{%- endmacro %}

{% macro clickhouse__joined_in_order(text) -%}
    arrayStringConcat(arraySort(groupArray(assumeNotNull({{ text }}))), '|')
{%- endmacro %}
