with

source as (
    select * from {{ source('litellm', 'litellm_teams') }}
),

renamed as (
    select
        -- ids
        load_id,
        team_id,
        org_id,

        -- strings
        team_name,
        status,

        -- booleans
        coalesce(is_deleted, false) as is_deleted,

        -- timestamps
        valid_from_at
    from source
)

select * from renamed
