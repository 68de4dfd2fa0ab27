{#-
  Tokens of one kind in dollars. None cost nothing, whether or not the kind has a price; some without
  a price are unknown. Both sides are cast, as databases differ in how wide a product may be.
-#}
{% macro token_cost_usd(tokens, usd_per_token) -%}
    case
        when {{ tokens }} = 0 then 0
        else cast({{ tokens }} as numeric(20, 0)) * {{ usd_per_token }}
    end
{%- endmacro %}
