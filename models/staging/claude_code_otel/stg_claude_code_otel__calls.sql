{# The requests in the columns that all sources share. #}
with

requests as (
    select * from {{ ref('stg_claude_code_otel__requests') }}
),

final as (
    select
        observation_id,
        'claude_code_otel' as source,
        load_id,
        'anthropic' as vendor,
        cast(null as {{ dbt.type_string() }}) as message_id,
        request_id,
        record_uuid,
        session_id,
        org_id,
        cast(null as {{ dbt.type_string() }}) as workspace_id,
        cast(null as {{ dbt.type_string() }}) as api_key_id,
        project,
        team_id,
        user_id,
        requested_model,
        cast(null as {{ dbt.type_string() }}) as service_tier,
        speed,
        cast(null as {{ dbt.type_string() }}) as inference_geo,
        cast(null as {{ dbt.type_string() }}) as region,
        cast(null as {{ dbt.type_string() }}) as user_region,
        cast(null as {{ dbt.type_string() }}) as data_classification,
        status,
        cast(null as {{ dbt.type_boolean() }}) as is_sidechain,
        input_tokens,
        cache_write_5m_tokens,
        cast(0 as {{ dbt.type_bigint() }}) as cache_write_1h_tokens,
        cache_read_tokens,
        output_tokens,
        cache_write_5m_tokens as cache_write_assumed_tokens,
        cast(null as {{ dbt.type_bigint() }}) as web_search_requests,
        reported_cost_usd,
        case when reported_cost_usd is not null then 'client_estimate' end as reported_cost_basis,
        latency_ms,
        cast(null as {{ dbt.type_string() }}) as dedup_hash,
        observed_at
    from requests
)

select * from final
