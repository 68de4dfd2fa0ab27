{#-
  The CTE `periods`: the periods of each key in the order in which they begin, and how far those before
  one reach. Half-open, [valid_from, valid_to); null is open.
-#}
{% macro reach_of_earlier_periods(relation, key_columns, valid_from, valid_to) -%}
    {%- set keys = key_columns | join(', ') -%}
    dated as (
        select
            {{ keys }},
            coalesce({{ valid_from }}, cast('1970-01-01' as date)) as period_from,
            coalesce({{ valid_to }}, cast('2100-01-01' as date)) as period_to
        from {{ relation }}
    ),

    periods as (
        select
            {{ keys }},
            period_from,
            period_to,
            row_number() over (
                partition by {{ keys }} order by period_from asc, period_to asc
            ) as period_number,
            max(period_to) over (
                partition by {{ keys }}
                order by period_from asc, period_to asc
                rows between unbounded preceding and 1 preceding
            ) as reach_of_earlier
        from dated
    )
{%- endmacro %}
