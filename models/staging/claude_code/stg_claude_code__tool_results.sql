with

source as (
    select * from {{ source('claude_code', 'claude_code_tool_results') }}
),

renamed as (
    select
        -- ids
        load_id,
        file_id,
        line_number,
        block_index,
        tool_use_id,

        -- strings
        'anthropic' as vendor,
        denial_kind,

        -- booleans
        is_error,

        -- timestamps
        observed_at
    from source
)

select * from renamed
