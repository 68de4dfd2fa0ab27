{#-
  Money over a count, cut to a billionth of a dollar: in whole numbers, as "/" on decimals gives
  another result on each database. Null where the count is 0.
-#}
{% macro divide_usd(amount, divisor) -%}
    {{- return(adapter.dispatch('divide_usd', 'mindweave')(amount, divisor)) -}}
{%- endmacro %}

{% macro default__divide_usd(amount, divisor) -%}
    cast(
        div(trunc({{ amount }} * 1000000000), nullif({{ divisor }}, 0)) * 0.000000001
        as {{ type_usd() }}
    )
{%- endmacro %}

{% macro duckdb__divide_usd(amount, divisor) -%}
    cast(
        cast(
            cast(trunc({{ amount }} * 1000000000) as hugeint) // nullif({{ divisor }}, 0)
            as numeric(28, 0)
        ) * 0.000000001
        as {{ type_usd() }}
    )
{%- endmacro %}

{#- a decimal over a whole number keeps its decimals there, and cuts the rest -#}
{% macro clickhouse__divide_usd(amount, divisor) -%}
    cast(
        cast({{ amount }} as Nullable(Decimal(38, 9))) / nullif({{ divisor }}, 0) as {{ type_usd() }}
    )
{%- endmacro %}
