{#- Fails on rows where any of the columns is below 0. -#}
{% test never_negative(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
where
    {% for column in columns %}
    {{ column }} < 0{{ " or" if not loop.last }}
    {% endfor %}
{% endtest %}
