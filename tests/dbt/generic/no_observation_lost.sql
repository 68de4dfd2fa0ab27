{#- Fails on an observation whose call is not there, or holds fewer tokens than it saw. -#}
{% test no_observation_lost(model) %}
select observations.call_id
from {{ model }} as observations
left join {{ ref('int_calls__deduplicated') }} as calls
    on observations.call_id = calls.call_id
where
    calls.call_id is null
    or (
        not coalesce(observations.is_sidechain, false)
        and observations.total_tokens
        > calls.input_tokens
        + calls.cache_write_5m_tokens
        + calls.cache_write_1h_tokens
        + calls.cache_read_tokens
        + calls.output_tokens
    )
{% endtest %}
