{#-
  Fails on periods of one key that overlap, and on a period that ends before it begins. Periods are
  half-open, [valid_from, valid_to); null is open. Sorted periods overlap only if neighbours do.
-#}
{% test no_overlapping_periods(model, key_columns, valid_from, valid_to) %}
with

periods as (
    select
        {{ key_columns | join(', ') }},
        {{ valid_from }} as period_from,
        {{ valid_to }} as period_to,
        row_number() over (
            partition by {{ key_columns | join(', ') }}
            order by {{ valid_from }} asc nulls first
        ) as period_number
    from {{ model }}
)

select
    {% for key_column in key_columns %}
    later.{{ key_column }},
    {% endfor %}
    later.period_from,
    later.period_to
from periods as later
inner join periods as earlier
    on later.period_number = earlier.period_number + 1
    {% for key_column in key_columns %}
    and later.{{ key_column }} = earlier.{{ key_column }}
    {% endfor %}
where
    later.period_from is null
    or earlier.period_to is null
    or later.period_from < earlier.period_to

union all

select
    {{ key_columns | join(', ') }},
    period_from,
    period_to
from periods
where period_to <= period_from
{% endtest %}
