{#- A layer may not lose or invent quantity: fails where the sum of a column differs. -#}
{% test totals_match(model, columns, compare_to) %}
with

actual as (
    select
        {% for column in columns %}
        coalesce(sum({{ column }}), 0) as {{ column }}{{ "," if not loop.last }}
        {% endfor %}
    from {{ model }}
),

expected as (
    select
        {% for column in columns %}
        coalesce(sum({{ column }}), 0) as {{ column }}{{ "," if not loop.last }}
        {% endfor %}
    from {{ compare_to }}
)

select
    {% for column in columns %}
    actual.{{ column }} - expected.{{ column }} as {{ column }}_difference{{ "," if not loop.last }}
    {% endfor %}
from actual
cross join expected
where
    {% for column in columns %}
    actual.{{ column }} != expected.{{ column }}{{ " or" if not loop.last }}
    {% endfor %}
{% endtest %}
