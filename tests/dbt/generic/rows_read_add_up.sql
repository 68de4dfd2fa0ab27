{#- Fails on a load that lost rows: each row read is loaded, ignored or quarantined. -#}
{% test rows_read_add_up(model) %}
select *
from {{ model }}
where rows_read != rows_loaded + rows_ignored + rows_quarantined
{% endtest %}
