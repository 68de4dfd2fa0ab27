{{ config(materialized='view') }}

with

calls as (
    select * from {{ ref('int_calls__priced') }}
    where merged_into_call_id is null
),

hivemind as (
    select * from {{ ref('int_hivemind__calls') }}
),

final as (
    select
        -- ids
        calls.call_id as call_id,
        '{{ customer() }}' as customer_id,
        calls.org_id as org_id,
        calls.workspace_id as workspace_id,
        calls.project as project,
        calls.team_id as team_id,
        calls.user_id as user_id,
        calls.session_id as session_id,

        -- times
        calls.called_at as called_at,
        calls.usage_date as usage_date,

        -- what was called
        calls.vendor as vendor,
        calls.model_id as model_id,
        calls.requested_model as requested_model,
        calls.mcp_name as mcp_name,
        cast(calls.mcp_call_count as bigint) as mcp_call_count,

        -- quantities
        calls.input_tokens as input_tokens,
        calls.cache_write_5m_tokens as cache_write_5m_tokens,
        calls.cache_write_1h_tokens as cache_write_1h_tokens,
        calls.cache_read_tokens as cache_read_tokens,
        calls.output_tokens as output_tokens,
        calls.cache_write_assumed_tokens as cache_write_assumed_tokens,
        cast(calls.pass_tokens as bigint) as pass_tokens,
        calls.web_search_requests as web_search_requests,

        -- how it was served
        calls.service_tier as service_tier,
        calls.speed as speed,
        calls.inference_geo as inference_geo,
        calls.region as region,
        calls.user_region as user_region,
        calls.data_classification as data_classification,
        calls.status as status,
        calls.latency_ms as latency_ms,
        calls.is_sidechain as is_sidechain,

        -- money
        calls.total_cost_usd as total_cost_usd,
        calls.list_cost_usd as list_cost_usd,
        calls.upper_bound_cost_usd as upper_bound_cost_usd,
        calls.reported_cost_usd as reported_cost_usd,
        calls.reported_cost_basis as reported_cost_basis,
        calls.pricing_status as pricing_status,
        calls.pricing_assumptions as pricing_assumptions,
        calls.price_version as price_version,
        calls.price_region as price_region,

        -- identity
        calls.identity as identity,
        cast(calls.source_count as bigint) as source_count,
        cast(calls.observation_count as bigint) as observation_count,

        -- similar work
        coalesce(hivemind.dedup_hash, calls.dedup_hash) as dedup_hash,
        hivemind.is_duplicate as is_duplicate,
        hivemind.duplicate_of_call_id as duplicate_of_call_id
    from calls
    left join hivemind
        on calls.call_id = hivemind.call_id
)

select * from final
