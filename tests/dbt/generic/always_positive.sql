{#- Fails on rows where the column is 0 or below. -#}
{% test always_positive(model, column_name) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} <= 0
{% endtest %}
