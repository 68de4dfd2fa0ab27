with

source as (
    select * from {{ source('openai_admin', 'openai_admin_project_users') }}
),

renamed as (
    select
        load_id,
        org_id,
        project_id,
        user_id,
        person_id,
        role,
        coalesce(is_deleted, false) as is_deleted,
        added_at
    from source
)

select * from renamed
