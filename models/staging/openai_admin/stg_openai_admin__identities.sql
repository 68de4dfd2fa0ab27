{#
  A key belongs to its owner, and with a project's key and service account to the project. OpenAI knows
  no teams: `seeds/identity_map.csv` says which project is whose.
#}
with

users as (
    select
        load_id,
        'user' as id_kind,
        user_id as id,
        org_id,
        person_id,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        cast(null as {{ dbt.type_string() }}) as status,
        role,
        is_deleted
    from {{ source('openai_admin', 'openai_admin_users') }}
),

api_keys as (
    select
        load_id,
        'api_key' as id_kind,
        api_key_id as id,
        org_id,
        owner_person_id as person_id,
        project_id as parent_id,
        cast(null as {{ dbt.type_string() }}) as status,
        owner_role as role,
        is_deleted
    from {{ source('openai_admin', 'openai_admin_api_keys') }}
),

projects as (
    select
        load_id,
        'workspace' as id_kind,
        project_id as id,
        org_id,
        cast(null as {{ dbt.type_string() }}) as person_id,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        status,
        cast(null as {{ dbt.type_string() }}) as role,
        is_deleted
    from {{ source('openai_admin', 'openai_admin_projects') }}
),

service_accounts as (
    select
        load_id,
        'service_account' as id_kind,
        service_account_id as id,
        org_id,
        cast(null as {{ dbt.type_string() }}) as person_id,
        project_id as parent_id,
        cast(null as {{ dbt.type_string() }}) as status,
        role,
        is_deleted
    from {{ source('openai_admin', 'openai_admin_service_accounts') }}
),

unioned as (
    select * from users
    union all
    select * from api_keys
    union all
    select * from projects
    union all
    select * from service_accounts
),

final as (
    select
        'openai_admin' as source,
        load_id,
        id_kind,
        id,
        org_id,
        person_id,
        cast(null as {{ dbt.type_string() }}) as team_id,
        parent_id,
        status,
        role,
        coalesce(is_deleted, false) as is_deleted,
        cast(null as {{ dbt.type_timestamp() }}) as valid_from_at
    from unioned
)

select * from final
