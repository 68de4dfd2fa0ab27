{#
  Claude's input_tokens exclude the cache, so the kinds are disjoint as they come. Only a cache write
  without its split needs a decision: what no split names is taken as a 5-minute write.
#}
with

source as (
    select * from {{ source('claude_code', 'claude_code_messages') }}
),

renamed as (
    select
        -- ids
        load_id,
        file_id,
        line_number,
        record_uuid,
        message_id,
        request_id,
        session_id,
        project_fingerprint,
        user_id,
        team_id,

        -- strings
        'anthropic' as vendor,
        project_name,
        coalesce(model, 'unknown') as requested_model,
        service_tier,
        speed,
        inference_geo,

        -- booleans
        coalesce(is_sidechain, false) as is_sidechain,

        -- quantities
        input_tokens,
        coalesce(ephemeral_5m_input_tokens, 0) + {{ unsplit_cache_write_tokens() }}
            as cache_write_5m_tokens,
        coalesce(ephemeral_1h_input_tokens, 0) as cache_write_1h_tokens,
        coalesce(cache_read_input_tokens, 0) as cache_read_tokens,
        output_tokens,
        {{ unsplit_cache_write_tokens() }} as cache_write_assumed_tokens,
        coalesce(web_search_requests, 0) as web_search_requests,

        -- money
        cost_usd as reported_cost_usd,

        -- timestamps
        observed_at
    from source
)

select * from renamed
