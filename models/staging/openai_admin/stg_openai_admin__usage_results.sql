{# What usage reports tell beyond text tokens: modalities, images, seconds, sessions, bytes. #}
with

source as (
    select * from {{ source('openai_admin', 'openai_admin_usage') }}
),

renamed as (
    select
        -- ids
        load_id,
        report,
        org_id,
        bucket_key,
        project_id,
        user_id,
        api_key_id,
        vector_store_id,

        -- strings
        model as requested_model,
        service_tier,
        api_source,
        image_size,
        image_source,
        context_level,
        group_by,

        -- booleans
        is_batch,
        coalesce(is_empty, false) as is_empty,

        -- quantities
        input_text_tokens,
        input_audio_tokens,
        input_image_tokens,
        output_text_tokens,
        output_audio_tokens,
        output_image_tokens,
        input_cached_text_tokens,
        input_cached_audio_tokens,
        input_cached_image_tokens,
        num_model_requests as model_request_count,
        num_requests as request_count,
        num_sessions as session_count,
        images as image_count,
        characters as character_count,
        seconds,
        usage_bytes,

        -- timestamps
        bucket_start_at,
        bucket_end_at
    from source
)

select * from renamed
