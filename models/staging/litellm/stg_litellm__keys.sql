with

source as (
    select * from {{ source('litellm', 'litellm_keys') }}
),

renamed as (
    select
        -- ids
        load_id,
        key_id,
        person_id,
        team_id,
        org_id,

        -- strings
        status,

        -- booleans
        coalesce(is_deleted, false) as is_deleted,

        -- timestamps
        valid_from_at
    from source
)

select * from renamed
