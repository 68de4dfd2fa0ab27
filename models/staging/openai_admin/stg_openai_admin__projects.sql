with

source as (
    select * from {{ source('openai_admin', 'openai_admin_projects') }}
),

renamed as (
    select
        load_id,
        org_id,
        project_id,
        name as project_name,
        status,
        coalesce(is_deleted, false) as is_deleted,
        created_at,
        archived_at
    from source
)

select * from renamed
