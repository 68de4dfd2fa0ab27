{#-
  Fails on a model whose calls without a price are not all listed, or that is listed without one: every
  model in use is either priced or in the list.
-#}
{% test unpriced_calls_match(model) %}
with

calls as (
    select
        vendor,
        requested_model as model_id,
        -1 as total_calls
    from {{ ref('int_calls__priced') }}
    where total_cost_usd is null

    union all

    select
        vendor,
        model_id,
        total_calls
    from {{ model }}
)

select
    vendor,
    model_id,
    sum(total_calls) as listed_too_often
from calls
group by vendor, model_id
having sum(total_calls) != 0
{% endtest %}
