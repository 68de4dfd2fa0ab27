{# OpenAI tells what an event set, not what was there before. #}
with

source as (
    select * from {{ source('openai_admin', 'openai_admin_audit_logs') }}
),

renamed as (
    select
        'openai_admin' as source,
        load_id,
        event_id,
        occurred_at,
        'openai' as vendor,
        org_id,
        project_id as workspace_id,
        case
            when actor_api_key_id is not null then 'api_key'
            when actor_user_id is not null then 'user'
            else coalesce(actor_type, 'unknown')
        end as actor_kind,
        coalesce(actor_api_key_id, actor_person_id) as actor_id,
        event_type as action,
        resource_type,
        resource_id,
        reason_code,
        cast(null as {{ dbt.type_string() }}) as before_json,
        details_json as after_json
    from source
)

select * from renamed
