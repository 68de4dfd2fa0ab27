{# The answers in the columns that all sources share. #}
with

messages as (
    select * from {{ ref('stg_claude_code__messages') }}
),

final as (
    select
        file_id || '/' || cast(line_number as {{ dbt.type_string() }}) as observation_id,
        'claude_code' as source,
        load_id,
        vendor,
        message_id,
        request_id,
        record_uuid,
        session_id,
        cast(null as {{ dbt.type_string() }}) as org_id,
        cast(null as {{ dbt.type_string() }}) as workspace_id,
        cast(null as {{ dbt.type_string() }}) as api_key_id,
        coalesce(project_name, project_fingerprint) as project,
        team_id,
        user_id,
        requested_model,
        service_tier,
        speed,
        inference_geo,
        cast(null as {{ dbt.type_string() }}) as region,
        cast(null as {{ dbt.type_string() }}) as user_region,
        cast(null as {{ dbt.type_string() }}) as data_classification,
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
        case when reported_cost_usd is not null then 'client_estimate' end as reported_cost_basis,
        cast(null as {{ dbt.type_bigint() }}) as latency_ms,
        cast(null as {{ dbt.type_string() }}) as dedup_hash,
        observed_at
    from messages
)

select * from final
