{#
  prompt_tokens is all input, cache included; usage_object is preferred to the row. Only a usage as
  Anthropic writes it (input_tokens beside counts of the cache) leaves the cache out. Where the cache
  is more than the whole, no uncached input is left, and the row says so.
#}
with

source as (
    select * from {{ source('litellm', 'litellm_spend_logs') }}
),

counted as (
    select
        *,
        greatest(coalesce(cache_read_input_tokens, 0), coalesce(cached_tokens, 0))
            as read_tokens,
        coalesce(ephemeral_5m_input_tokens, 0) + {{ unsplit_cache_write_tokens() }}
            as written_5m_tokens,
        coalesce(ephemeral_1h_input_tokens, 0) as written_1h_tokens,
        {{ unsplit_cache_write_tokens() }} as assumed_tokens,
        coalesce(usage_prompt_tokens, usage_input_tokens, prompt_tokens, 0) as told_input_tokens,
        coalesce(
            usage_prompt_tokens is null
            and usage_input_tokens is not null
            and coalesce(cache_read_input_tokens, cache_creation_input_tokens) is not null,
            false
        ) as is_input_without_cache
    from source
),

renamed as (
    select
        -- ids
        load_id,
        request_id,
        message_id,
        litellm_call_id,
        api_key_id,
        user_id,
        end_user_id,
        team_id,
        org_id,
        session_id,
        agent_id,
        dedup_hash,

        -- strings
        case
            when position('claude' in lower(coalesce(model, ''))) > 0 then 'anthropic'
            when
                custom_llm_provider in (
                    'azure', 'azure_text', 'openai', 'text-completion-openai'
                )
                then 'openai'
            when custom_llm_provider in ('gemini', 'vertex_ai', 'vertex_ai_beta') then 'google'
            else coalesce(custom_llm_provider, 'unknown')
        end as vendor,
        custom_llm_provider,
        call_type,
        coalesce(model, model_group, 'unknown') as requested_model,
        project,
        case
            when is_batch then 'batch'
            when service_tier = 'default' then 'standard'
            else service_tier
        end as service_tier,
        speed,
        inference_geo,
        region,
        case
            when coalesce(status, 'success') != 'failure' then 'success'
            when error_code = '429' or error_class = 'RateLimitError' then 'rate_limited'
            else 'error'
        end as status,
        error_code,
        error_class,
        unknown_fields,

        -- booleans
        coalesce(is_cache_hit, false) as is_cache_hit,
        coalesce(used_client_oauth_token, false) as used_client_oauth_token,
        coalesce(
            not is_input_without_cache
            and told_input_tokens < read_tokens + written_5m_tokens + written_1h_tokens,
            false
        ) as is_input_floored,

        -- quantities
        case
            when is_input_without_cache then told_input_tokens
            else
                greatest(
                    told_input_tokens - read_tokens - written_5m_tokens - written_1h_tokens, 0
                )
        end as input_tokens,
        written_5m_tokens as cache_write_5m_tokens,
        written_1h_tokens as cache_write_1h_tokens,
        read_tokens as cache_read_tokens,
        coalesce(usage_completion_tokens, usage_output_tokens, completion_tokens, 0)
            as output_tokens,
        assumed_tokens as cache_write_assumed_tokens,
        web_search_requests,
        attempted_retries,
        attempted_fallbacks,
        coalesce(request_duration_ms, {{ milliseconds_between('started_at', 'ended_at') }})
            as latency_ms,

        -- money: what was computed before the gateway's own discount and margin, where it says so
        spend_usd,
        coalesce(original_cost_usd, spend_usd) as reported_cost_usd,
        case
            when original_cost_usd is not null then 'provider_estimate'
            when
                total_cost_usd is not null
                and coalesce(discount_amount_usd, 0) = 0
                and coalesce(margin_amount_usd, 0) = 0
                and spend_usd is not null
                then 'provider_estimate'
            when spend_usd is not null then 'internal_price'
        end as reported_cost_basis,

        -- timestamps
        started_at,
        ended_at,
        first_token_at,
        written_at
    from counted
)

select * from renamed
