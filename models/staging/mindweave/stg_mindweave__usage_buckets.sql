{# Buckets of usage that a source tells in our own words. #}
with

source as (
    select * from {{ source('mindweave', 'usage_bucket_events') }}
),

renamed as (
    select
        source,
        load_id,
        report,
        vendor,
        org_id,
        bucket_key,
        bucket_start_at,
        bucket_end_at,
        bucket_width,
        workspace_id,
        api_key_id,
        user_id,
        product,
        requested_model,
        service_tier,
        context_window,
        inference_geo,
        speed,
        coalesce(input_tokens, 0) as input_tokens,
        coalesce(cache_write_5m_tokens, 0) as cache_write_5m_tokens,
        coalesce(cache_write_1h_tokens, 0) as cache_write_1h_tokens,
        coalesce(cache_read_tokens, 0) as cache_read_tokens,
        coalesce(output_tokens, 0) as output_tokens,
        coalesce(web_search_requests, 0) as web_search_requests,
        request_count,
        reported_cost_usd,
        coalesce(is_empty, false) as is_empty,
        data_refreshed_at
    from source
)

select * from renamed
