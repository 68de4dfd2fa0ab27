{#- Fails where a model has more or fewer rows than another of the same grain. -#}
{% test row_count_matches(model, compare_to) %}
select
    actual.row_count as actual_count,
    expected.row_count as expected_count
from (select count(*) as row_count from {{ model }}) as actual
cross join (select count(*) as row_count from {{ compare_to }}) as expected
where actual.row_count != expected.row_count
{% endtest %}
