with

source as (
    select * from {{ source('litellm', 'litellm_users') }}
),

renamed as (
    select
        -- ids
        load_id,
        user_id,
        person_id,
        team_id,
        org_id,

        -- strings
        role,

        -- booleans
        coalesce(is_deleted, false) as is_deleted,

        -- timestamps
        valid_from_at
    from source
)

select * from renamed
