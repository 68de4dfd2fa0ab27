{# Every sight of a model call, all sources in one shape. A source joins here by one more CTE. #}
with

loads as (
    select * from {{ ref('int_loads__numbered') }}
),

claude_code as (
    select * from {{ ref('stg_claude_code__messages') }}
),

claude_code_observations as (
    select
        file_id || '/' || cast(line_number as {{ dbt.type_string() }}) as observation_id,
        'claude_code' as source,
        load_id,
        vendor,
        message_id,
        request_id,
        record_uuid,
        session_id,
        coalesce(project_name, project_fingerprint) as project,
        team_id,
        user_id,
        requested_model,
        service_tier,
        speed,
        inference_geo,
        'success' as status,
        is_sidechain,
        input_tokens,
        cache_write_5m_tokens,
        cache_write_1h_tokens,
        cache_read_tokens,
        output_tokens,
        cache_write_assumed_tokens,
        web_search_requests,
        reported_cost_usd,
        observed_at
    from claude_code
),

identified as (
    select
        {{ call_id(
            'observations.vendor', 'observations.message_id', 'observations.request_id',
            'observations.record_uuid', 'observations.observation_id'
        ) }} as call_id,
        case
            when coalesce(observations.message_id, observations.request_id) is null then 'weak'
            else 'strong'
        end as identity,
        observations.*,
        observations.input_tokens
        + observations.cache_write_5m_tokens
        + observations.cache_write_1h_tokens
        + observations.cache_read_tokens
        + observations.output_tokens as total_tokens,
        loads.loaded_at,
        loads.processed_at
    from claude_code_observations as observations
    inner join loads
        on observations.load_id = loads.load_id
)

select * from identified
