with

source as (
    select * from {{ source('claude_code', 'claude_code_tool_uses') }}
),

renamed as (
    select
        -- ids
        load_id,
        file_id,
        line_number,
        block_index,
        record_uuid,
        message_id,
        request_id,
        tool_use_id,

        -- strings
        'anthropic' as vendor,
        tool_name as full_tool_name,
        input_fingerprint,

        -- timestamps
        observed_at
    from source
)

select * from renamed
