{#
  A provider's own id makes a call the same that other sources saw. Retries of one client call, which
  share litellm_call_id, are calls of their own: each one that was answered is billed. What the gateway
  answered from its own cache is no call of a model.
#}
with

spend_logs as (
    select * from {{ ref('stg_litellm__spend_logs') }}
),

calls as (
    select
        request_id as observation_id,
        'litellm' as source,
        load_id,
        vendor,
        message_id,
        case when message_id is null and substr(request_id, 1, 4) = 'req_' then request_id end
            as request_id,
        case when message_id is null and substr(request_id, 1, 4) != 'req_' then request_id end
            as record_uuid,
        session_id,
        org_id,
        cast(null as {{ dbt.type_string() }}) as workspace_id,
        api_key_id,
        project,
        team_id,
        user_id,
        requested_model,
        service_tier,
        speed,
        inference_geo,
        region,
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
        web_search_requests,
        reported_cost_usd,
        reported_cost_basis,
        latency_ms,
        dedup_hash,
        started_at as observed_at
    from spend_logs
    where not is_cache_hit
)

select * from calls
