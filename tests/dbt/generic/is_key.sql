{#-
  Fails on rows that share the values of the key's columns, and on a key with a null: one question
  instead of a `unique` and a `not_null` for each column, as every test costs a build its start.
-#}
{% test is_key(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {% for column in columns %}
    or {{ column }} is null
    {% endfor %}
{% endtest %}
