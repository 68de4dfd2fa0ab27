{# The calls of models in the columns that all sources share. #}
with

spans as (
    select * from {{ ref('stg_otel_genai__model_spans') }}
),

final as (
    select
        observation_id,
        'otel_genai' as source,
        load_id,
        vendor,
        message_id,
        request_id,
        record_uuid,
        session_id,
        org_id,
        workspace_id,
        cast(null as {{ dbt.type_string() }}) as api_key_id,
        project,
        team_id,
        user_id,
        requested_model,
        service_tier,
        speed,
        inference_geo,
        cast(null as {{ dbt.type_string() }}) as region,
        cast(null as {{ dbt.type_string() }}) as user_region,
        cast(null as {{ dbt.type_string() }}) as data_classification,
        status,
        cast(null as {{ dbt.type_boolean() }}) as is_sidechain,
        input_tokens,
        cache_write_5m_tokens,
        cache_write_1h_tokens,
        cache_read_tokens,
        output_tokens,
        cache_write_assumed_tokens,
        cast(null as {{ dbt.type_bigint() }}) as web_search_requests,
        reported_cost_usd,
        case when reported_cost_usd is not null then 'provider_estimate' end as reported_cost_basis,
        latency_ms,
        dedup_hash,
        observed_at
    from spans
)

select * from final
