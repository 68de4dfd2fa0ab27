{{ config(materialized='view') }}

with

calls as (
    select * from {{ ref('int_calls__priced') }}
    where merged_into_call_id is null
),

final as (
    select
        -- ids
        call_id,
        '{{ customer() }}' as customer_id,
        org_id,
        workspace_id,
        project,
        team_id,
        user_id,
        session_id,

        -- times
        called_at,
        usage_date,

        -- what was called
        vendor,
        model_id,
        requested_model,
        mcp_name,
        cast(mcp_call_count as bigint) as mcp_call_count,

        -- quantities
        input_tokens,
        cache_write_5m_tokens,
        cache_write_1h_tokens,
        cache_read_tokens,
        output_tokens,
        cache_write_assumed_tokens,
        cast(pass_tokens as bigint) as pass_tokens,
        web_search_requests,

        -- how it was served
        service_tier,
        speed,
        inference_geo,
        region,
        user_region,
        data_classification,
        status,
        latency_ms,
        is_sidechain,

        -- money
        total_cost_usd,
        list_cost_usd,
        upper_bound_cost_usd,
        reported_cost_usd,
        reported_cost_basis,
        pricing_status,
        pricing_assumptions,
        price_version,
        price_region,

        -- identity
        identity,
        cast(source_count as bigint) as source_count,
        cast(observation_count as bigint) as observation_count,

        -- similar work, unknown until a detection has looked
        cast(null as {{ dbt.type_string() }}) as dedup_hash,
        cast(null as {{ dbt.type_boolean() }}) as is_duplicate,
        cast(null as {{ dbt.type_string() }}) as duplicate_of_call_id
    from calls
)

select * from final
