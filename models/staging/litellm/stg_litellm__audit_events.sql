with

source as (
    select * from {{ source('litellm', 'litellm_audit_logs') }}
),

renamed as (
    select
        'litellm' as source,
        load_id,
        event_id,
        occurred_at,
        'litellm' as vendor,
        cast(null as {{ dbt.type_string() }}) as org_id,
        cast(null as {{ dbt.type_string() }}) as workspace_id,
        actor_kind,
        actor_id,
        action,
        resource_type,
        resource_id,
        cast(null as {{ dbt.type_string() }}) as reason_code,
        before_json,
        after_json
    from source
)

select * from renamed
