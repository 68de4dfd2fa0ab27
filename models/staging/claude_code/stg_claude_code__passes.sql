{# The kinds are disjoint as they come; a cache write without its split is taken as in messages. #}
with

source as (
    select * from {{ source('claude_code', 'claude_code_passes') }}
),

renamed as (
    select
        -- ids
        load_id,
        file_id,
        line_number,
        pass_index,
        record_uuid,
        message_id,
        request_id,

        -- strings
        'anthropic' as vendor,
        pass_type,
        model as requested_model,

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

        -- timestamps
        observed_at
    from source
)

select * from renamed
