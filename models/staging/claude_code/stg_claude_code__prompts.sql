{# The prompts in the columns that all sources share. #}
with

source as (
    select * from {{ source('claude_code', 'claude_code_prompts') }}
),

renamed as (
    select
        -- resumed and forked sessions copy a record, with its id, to other files
        coalesce(
            record_uuid,
            file_id || '/' || cast(line_number as {{ dbt.type_string() }})
        ) as observation_id,
        'claude_code' as source,
        load_id,
        session_id,
        cast(null as {{ dbt.type_string() }}) as prompt_id,
        user_id,
        team_id,
        dedup_hash,
        observed_at
    from source
)

select * from renamed
