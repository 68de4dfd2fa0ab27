{#- Fails where the list of unpriced models leaves out a call without a price, or names another model. -#}
{% test unpriced_calls_match(model) %}
with

listed as (
    select
        model_id,
        sum(total_calls) as total_calls
    from {{ model }}
    group by model_id
),

unpriced as (
    select
        unpriced_model as model_id,
        count(*) as total_calls
    from {{ ref('int_calls__priced') }}
    where
        total_cost_usd is null
        and merged_into_call_id is null
    group by unpriced_model
)

select
    coalesce(listed.model_id, unpriced.model_id) as model_id,
    listed.total_calls as listed_calls,
    unpriced.total_calls as expected_calls
from listed
full outer join unpriced
    on listed.model_id = unpriced.model_id
where coalesce(listed.total_calls, 0) != coalesce(unpriced.total_calls, 0)
{% endtest %}
