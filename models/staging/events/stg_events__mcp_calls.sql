{#
  Events of calls. Of those with one id, the one received first counts (`is_first`): repeats add
  nothing, and other content under a known id, also of an event of another type, counts nowhere.
#}
{% set sight_columns = [
    'load_id', 'event_source', 'event_id', 'received_at', 'line_number', 'content_hash'
] %}
{% set call_columns = [
    'call_id', 'called_at', 'vendor', 'message_id', 'request_id', 'session_id', 'org_id',
    'workspace_id', 'api_key_id', 'project', 'team_id', 'user_id', 'model_id', 'mcp_name',
    'tool_name', 'tool_use_id', 'service_tier', 'speed', 'inference_geo', 'region',
    'user_region', 'data_classification', 'status', 'is_sidechain', 'input_tokens',
    'cache_write_5m_tokens', 'cache_write_1h_tokens', 'cache_read_tokens', 'output_tokens',
    'web_search_requests', 'latency_ms', 'cost_usd', 'cost_basis', 'dedup_hash',
    'input_fingerprint'
] %}
with

loads as (
    select * from {{ ref('stg_mindweave__loads') }}
),

sights as (
    select
        {% for column in sight_columns + call_columns %}
        {{ column }},
        {% endfor %}
        1 as is_call
    from {{ source('events', 'events_calls') }}

    union all

    select
        {% for column in sight_columns %}
        {{ column }},
        {% endfor %}
        {% for column in call_columns %}
        null as {{ column }},
        {% endfor %}
        0 as is_call
    from {{ ref('stg_events__events') }}
    where event_type != 'com.mindweave.mcp.call'
),

ranked as (
    select
        {% for column in sight_columns + call_columns + ['is_call'] %}
        sights.{{ column }} as {{ column }},
        {% endfor %}
        row_number() over (
            partition by sights.event_source, sights.event_id
            order by
                sights.received_at asc,
                sights.line_number asc,
                sights.content_hash asc,
                loads.finished_at asc,
                sights.load_id asc
        ) as sight_rank
    from sights
    inner join loads
        on sights.load_id = loads.load_id
),

final as (
    select
        -- ids
        event_source || '/' || event_id as observation_id,
        event_source,
        event_id,
        load_id,
        content_hash,
        'call/' || event_source || '/' || call_id as record_uuid,
        message_id,
        request_id,
        session_id,
        org_id,
        workspace_id,
        api_key_id,
        tool_use_id,
        dedup_hash,
        input_fingerprint,

        -- what was called, for whom
        coalesce(lower(vendor), 'unknown') as vendor,
        coalesce(model_id, 'unknown') as requested_model,
        mcp_name,
        tool_name,
        project,
        team_id,
        user_id,

        -- how it was served
        service_tier,
        speed,
        inference_geo,
        region,
        user_region,
        data_classification,
        coalesce(status, 'success') as status,
        is_sidechain,

        -- quantities
        coalesce(input_tokens, 0) as input_tokens,
        coalesce(cache_write_5m_tokens, 0) as cache_write_5m_tokens,
        coalesce(cache_write_1h_tokens, 0) as cache_write_1h_tokens,
        coalesce(cache_read_tokens, 0) as cache_read_tokens,
        coalesce(output_tokens, 0) as output_tokens,
        web_search_requests,
        latency_ms,
        cost_usd,
        case when cost_usd is not null then coalesce(cost_basis, 'client_estimate') end
            as cost_basis,

        -- times
        called_at,

        -- lineage
        cast(sight_rank = 1 as {{ dbt.type_boolean() }}) as is_first
    from ranked
    where is_call = 1
)

select * from final
