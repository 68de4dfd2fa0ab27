{#-
  Fails on periods of one key that overlap, and on a period that ends before it begins. Periods are
  half-open, [valid_from, valid_to); null is open. A null in the key is a value like any other.
-#}
{% test no_overlapping_periods(model, key_columns, valid_from, valid_to) %}
with

{{ reach_of_earlier_periods(model, key_columns, valid_from, valid_to) }}

select *
from periods
where
    period_to <= period_from
    or (period_number > 1 and period_from < reach_of_earlier)
{% endtest %}
