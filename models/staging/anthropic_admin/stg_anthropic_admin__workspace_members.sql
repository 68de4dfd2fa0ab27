with

source as (
    select * from {{ source('anthropic_admin', 'anthropic_admin_workspace_members') }}
),

renamed as (
    select
        -- ids
        load_id,
        org_id,
        workspace_id,
        user_id,

        -- strings
        workspace_role as role,

        -- booleans
        is_deleted
    from source
)

select * from renamed
