{# The calls of models in the columns that all sources share. #}
with

calls as (
    select * from {{ ref('stg_events__mcp_calls') }}
    where is_first
),

final as (
    select
        observation_id,
        'events' as source,
        load_id,
        vendor,
        message_id,
        request_id,
        record_uuid,
        session_id,
        org_id,
        workspace_id,
        api_key_id,
        project,
        team_id,
        user_id,
        requested_model,
        service_tier,
        speed,
        inference_geo,
        region,
        user_region,
        data_classification,
        status,
        is_sidechain,
        input_tokens,
        cache_write_5m_tokens,
        cache_write_1h_tokens,
        cache_read_tokens,
        output_tokens,
        cast(0 as {{ dbt.type_bigint() }}) as cache_write_assumed_tokens,
        web_search_requests,
        cost_usd as reported_cost_usd,
        cost_basis as reported_cost_basis,
        latency_ms,
        dedup_hash,
        called_at as observed_at
    from calls
)

select * from final
