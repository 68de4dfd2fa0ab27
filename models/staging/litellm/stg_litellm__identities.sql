with

keys as (
    select * from {{ ref('stg_litellm__keys') }}
),

users as (
    select * from {{ ref('stg_litellm__users') }}
),

identities as (
    select
        'litellm' as source,
        load_id,
        'api_key' as id_kind,
        key_id as id,
        org_id,
        person_id,
        team_id,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        status,
        cast(null as {{ dbt.type_string() }}) as role,
        is_deleted,
        valid_from_at
    from keys
    union all
    select
        'litellm' as source,
        load_id,
        'user' as id_kind,
        user_id as id,
        org_id,
        person_id,
        team_id,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        cast(null as {{ dbt.type_string() }}) as status,
        role,
        is_deleted,
        valid_from_at
    from users
)

select * from identities
