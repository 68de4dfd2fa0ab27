{#- Fails on rows where any of the columns is null. -#}
{% test never_null(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
where
    {% for column in columns %}
    {{ column }} is null{{ " or" if not loop.last }}
    {% endfor %}
{% endtest %}
