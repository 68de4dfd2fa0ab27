{# The prompts in the columns that all sources share; what was pushed again has the same place. #}
with

source as (
    select * from {{ source('claude_code_otel', 'claude_code_otel_prompts') }}
),

renamed as (
    select
        file_id || '/' || cast(line_number as {{ dbt.type_string() }}) || '/' || record_path
            as observation_id,
        'claude_code_otel' as source,
        load_id,
        session_id,
        prompt_id,
        user_id,
        team_id,
        dedup_hash,
        observed_at
    from source
)

select * from renamed
