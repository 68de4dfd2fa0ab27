{#- Fails where the list of unpriced models leaves out a call without a price. -#}
{% test unpriced_calls_match(model) %}
select
    listed.total_calls,
    unpriced.total_calls as expected_calls
from (select coalesce(sum(total_calls), 0) as total_calls from {{ model }}) as listed
cross join (
    select count(*) as total_calls
    from {{ ref('int_calls__priced') }}
    where total_cost_usd is null
) as unpriced
where listed.total_calls != unpriced.total_calls
{% endtest %}
