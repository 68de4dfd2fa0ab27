{#
  Usage as the organization's reports and Claude Code analytics tell it: two looks at the same tokens,
  never to be added. A null of the classic report means the default workspace, or the console, where
  it was grouped by it; in the newest one a workspace has its id, and a null is usage of a seat.
#}
with

usage as (
    select * from {{ source('anthropic_admin', 'anthropic_admin_usage') }}
),

claude_code as (
    select * from {{ source('anthropic_admin', 'anthropic_admin_claude_code_usage') }}
),

reported as (
    select
        'anthropic_admin' as source,
        load_id,
        report,
        'anthropic' as vendor,
        org_id,
        org_id || '/' || bucket_key as bucket_key,
        bucket_start_at,
        bucket_end_at,
        bucket_width,
        {{ workspace_or_default() }} as workspace_id,
        {{ api_key_or_console() }} as api_key_id,
        user_id,
        product,
        model as requested_model,
        service_tier,
        context_window,
        inference_geo,
        speed,
        coalesce(uncached_input_tokens, 0) as input_tokens,
        coalesce(ephemeral_5m_input_tokens, 0) as cache_write_5m_tokens,
        coalesce(ephemeral_1h_input_tokens, 0) as cache_write_1h_tokens,
        coalesce(cache_read_input_tokens, 0) as cache_read_tokens,
        coalesce(output_tokens, 0) as output_tokens,
        coalesce(web_search_requests, 0) as web_search_requests,
        requests as request_count,
        cast(null as {{ type_usd() }}) as reported_cost_usd,
        is_empty,
        data_refreshed_at
    from usage
),

estimated as (
    select
        'anthropic_admin' as source,
        load_id,
        report,
        'anthropic' as vendor,
        org_id,
        org_id || '/' || bucket_key as bucket_key,
        bucket_start_at,
        bucket_end_at,
        bucket_width,
        cast(null as {{ dbt.type_string() }}) as workspace_id,
        cast(null as {{ dbt.type_string() }}) as api_key_id,
        user_id,
        'claude_code' as product,
        model as requested_model,
        cast(null as {{ dbt.type_string() }}) as service_tier,
        cast(null as {{ dbt.type_string() }}) as context_window,
        cast(null as {{ dbt.type_string() }}) as inference_geo,
        cast(null as {{ dbt.type_string() }}) as speed,
        coalesce(input_tokens, 0) as input_tokens,
        -- told without its split
        coalesce(cache_creation_tokens, 0) as cache_write_5m_tokens,
        cast(0 as {{ dbt.type_bigint() }}) as cache_write_1h_tokens,
        coalesce(cache_read_tokens, 0) as cache_read_tokens,
        coalesce(output_tokens, 0) as output_tokens,
        cast(0 as {{ dbt.type_bigint() }}) as web_search_requests,
        cast(null as {{ dbt.type_bigint() }}) as request_count,
        estimated_cost_usd as reported_cost_usd,
        is_empty,
        data_refreshed_at
    from claude_code
),

unioned as (
    select * from reported
    union all
    select * from estimated
)

select * from unioned
