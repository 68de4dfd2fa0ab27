{# Calls that a source tells in our own words: what it leaves out is named, or counted as none. #}
with

source as (
    select * from {{ source('mindweave', 'call_events') }}
),

renamed as (
    select
        observation_id,
        source,
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
        coalesce(requested_model, 'unknown') as requested_model,
        service_tier,
        speed,
        inference_geo,
        region,
        cast(null as {{ dbt.type_string() }}) as user_region,
        cast(null as {{ dbt.type_string() }}) as data_classification,
        coalesce(status, 'success') as status,
        is_sidechain,
        coalesce(input_tokens, 0) as input_tokens,
        coalesce(cache_write_5m_tokens, 0) as cache_write_5m_tokens,
        coalesce(cache_write_1h_tokens, 0) as cache_write_1h_tokens,
        coalesce(cache_read_tokens, 0) as cache_read_tokens,
        coalesce(output_tokens, 0) as output_tokens,
        coalesce(cache_write_assumed_tokens, 0) as cache_write_assumed_tokens,
        web_search_requests,
        reported_cost_usd,
        reported_cost_basis,
        latency_ms,
        dedup_hash,
        observed_at
    from source
)

select * from renamed
