{# What cost marts sum: null duplicates where nobody saw the content of any call. #}
{% set dimensions = ['usage_date', 'team_id', 'project', 'model_id', 'mcp_name'] %}
{% set measures = [
    'total_calls', 'input_tokens', 'cache_write_5m_tokens', 'cache_write_1h_tokens',
    'cache_read_tokens', 'output_tokens', 'list_cost_usd', 'total_cost_usd', 'unpriced_calls'
] %}
with

final as (
    select
        {% for column in dimensions + measures %}
        daily.{{ column }} as {{ column }},
        {% endfor %}
        hivemind.duplicate_calls as duplicate_calls,
        hivemind.duplicate_cost_usd as duplicate_cost_usd
    from {{ ref('int_costs__daily') }} as daily
    left join {{ ref('int_hivemind__daily') }} as hivemind
        on daily.usage_date = hivemind.usage_date
        and daily.team_id = hivemind.team_id
        and daily.project = hivemind.project
        and daily.model_id = hivemind.model_id
        and daily.mcp_name = hivemind.mcp_name
)

select * from final
