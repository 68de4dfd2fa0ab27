with

source as (
    select * from {{ source('anthropic_admin', 'anthropic_admin_workspaces') }}
),

renamed as (
    select
        -- ids
        load_id,
        org_id,
        workspace_id,
        team_id,

        -- strings
        name as workspace_name,
        tags,
        workspace_geo,
        default_inference_geo,
        allowed_inference_geos,

        -- booleans
        is_deleted,

        -- timestamps
        created_at,
        archived_at
    from source
)

select * from renamed
