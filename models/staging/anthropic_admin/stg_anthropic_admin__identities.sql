{# Users, keys, workspaces, accounts. A user who was removed and came back was there before. #}
with

users as (
    select * from {{ source('anthropic_admin', 'anthropic_admin_users') }}
),

api_keys as (
    select * from {{ source('anthropic_admin', 'anthropic_admin_api_keys') }}
),

workspaces as (
    select * from {{ source('anthropic_admin', 'anthropic_admin_workspaces') }}
),

service_accounts as (
    select * from {{ source('anthropic_admin', 'anthropic_admin_service_accounts') }}
),

unioned as (
    select
        load_id,
        'user' as id_kind,
        user_id as id,
        org_id,
        person_id,
        cast(null as {{ dbt.type_string() }}) as team_id,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        cast(null as {{ dbt.type_string() }}) as status,
        role,
        is_deleted,
        cast(null as {{ dbt.type_timestamp() }}) as valid_from_at
    from users
    union all
    select
        load_id,
        'api_key' as id_kind,
        api_key_id as id,
        org_id,
        person_id,
        cast(null as {{ dbt.type_string() }}) as team_id,
        workspace_id as parent_id,
        status,
        cast(null as {{ dbt.type_string() }}) as role,
        is_deleted,
        created_at as valid_from_at
    from api_keys
    union all
    select
        load_id,
        'workspace' as id_kind,
        workspace_id as id,
        org_id,
        cast(null as {{ dbt.type_string() }}) as person_id,
        team_id,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        case when archived_at is null then 'active' else 'archived' end as status,
        cast(null as {{ dbt.type_string() }}) as role,
        is_deleted,
        created_at as valid_from_at
    from workspaces
    union all
    select
        load_id,
        'service_account' as id_kind,
        service_account_id as id,
        org_id,
        cast(null as {{ dbt.type_string() }}) as person_id,
        cast(null as {{ dbt.type_string() }}) as team_id,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        cast(null as {{ dbt.type_string() }}) as status,
        cast(null as {{ dbt.type_string() }}) as role,
        is_deleted,
        created_at as valid_from_at
    from service_accounts
),

final as (
    select
        'anthropic_admin' as source,
        load_id,
        id_kind,
        id,
        org_id,
        person_id,
        team_id,
        parent_id,
        case when not is_deleted then status end as status,
        role,
        is_deleted,
        valid_from_at
    from unioned
)

select * from final
