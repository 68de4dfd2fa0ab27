{#- Fails on days without a period between the first and the last of one key. -#}
{% test no_gaps(model, key_columns, valid_from, valid_to) %}
with

{{ reach_of_earlier_periods(model, key_columns, valid_from, valid_to) }}

select *
from periods
where
    period_number > 1
    and period_from > reach_of_earlier
{% endtest %}
