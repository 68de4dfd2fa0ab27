{#
  Spans count the cache as part of their input, so what is left of it is the uncached input. A producer
  that reports uncached input all the same shows as `is_input_too_small`: its input is taken as 0.
#}
with

source as (
    select * from {{ source('otel_genai', 'otel_genai_model_spans') }}
),

split as (
    select
        *,
        coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
            as split_write_tokens,
        greatest(
            coalesce(cache_write_tokens, 0),
            coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
        ) as write_tokens,
        coalesce(response_model, request_model, 'unknown') as model_name
    from source
),

renamed as (
    select
        -- ids; Claude Code's convention is seen elsewhere too: a request's id for the answer's
        load_id,
        file_id || '/' || cast(line_number as {{ dbt.type_string() }}) || '/' || record_path
            as observation_id,
        'span/' || trace_id || '/' || span_id as record_uuid,
        case when substr(response_id, 1, 4) != 'req_' then response_id end as message_id,
        coalesce(request_id, case when substr(response_id, 1, 4) = 'req_' then response_id end)
            as request_id,
        session_id,
        org_id,
        workspace_id,
        team_id,
        user_id,

        -- strings
        case
            when provider = 'anthropic' or model_name like '%claude%' then 'anthropic'
            when
                provider in ('openai', 'azure.ai.openai', 'az.ai.openai')
                or (provider is null and (model_name like 'gpt-%' or model_name like 'o_-%'))
                then 'openai'
            when provider in ('gcp.gemini', 'gcp.vertex_ai', 'gcp.gen_ai', 'vertex_ai', 'gemini')
                then 'google'
            when provider = 'mistral_ai' then 'mistral'
            else coalesce(lower(provider), 'unknown')
        end as vendor,
        coalesce(project, service_name) as project,
        operation,
        model_name as requested_model,
        service_tier,
        speed,
        inference_geo,
        case
            when is_error and status_code = 429 then 'rate_limited'
            when is_error and lower(error_type) like '%rate%limit%' then 'rate_limited'
            when is_error then 'error'
            else 'success'
        end as status,
        error_type,
        dedup_hash,

        -- booleans
        cast(
            coalesce(input_tokens, 0) < coalesce(cache_read_tokens, 0) + write_tokens as boolean
        ) as is_input_too_small,

        -- quantities
        greatest(
            coalesce(input_tokens, 0) - coalesce(cache_read_tokens, 0) - write_tokens, 0
        ) as input_tokens,
        coalesce(cache_write_5m_tokens, 0) + write_tokens - split_write_tokens
            as cache_write_5m_tokens,
        coalesce(cache_write_1h_tokens, 0) as cache_write_1h_tokens,
        coalesce(cache_read_tokens, 0) as cache_read_tokens,
        coalesce(output_tokens, 0) as output_tokens,
        write_tokens - split_write_tokens as cache_write_assumed_tokens,
        {{ milliseconds_between('started_at', 'ended_at') }} as latency_ms,

        -- money
        cost_usd as reported_cost_usd,

        -- timestamps
        started_at as observed_at
    from split
)

select * from renamed
