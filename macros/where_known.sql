{#-
  Keeps the rows of the price book that were known on the day `mindweave__as_known_on`; without one,
  all of them.
-#}
{% macro where_known() -%}
    {%- if var('mindweave__as_known_on', none) -%}
        where
            known_from_date is null
            or known_from_date <= cast('{{ var("mindweave__as_known_on") }}' as date)
    {%- endif -%}
{%- endmacro %}
