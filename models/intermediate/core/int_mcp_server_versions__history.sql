{#
  What became of each version of a server: one row a state, from the registry's change on to the next
  one. What a killed load left twice counts once.
#}
with

loads as (
    select * from {{ ref('int_loads__numbered') }}
),

versions as (
    select
        versions.registry_base as registry_base,
        versions.registry_name as registry_name,
        versions.published_version as published_version,
        versions.server_title as server_title,
        versions.status as status,
        versions.status_message as status_message,
        versions.is_latest as is_latest,
        versions.package_count as package_count,
        versions.remote_count as remote_count,
        versions.required_secret_count as required_secret_count,
        versions.published_at as published_at,
        versions.status_changed_at as status_changed_at,
        versions.load_id as load_id,
        loads.loaded_at as loaded_at,
        coalesce(versions.changed_at, loads.loaded_at) as valid_from_at,
        row_number() over (
            partition by
                versions.registry_base,
                versions.registry_name,
                versions.published_version,
                versions.load_id,
                versions.content_hash
            order by versions.changed_at asc
        ) as row_in_load
    from {{ ref('stg_mcp_registry__versions') }} as versions
    inner join loads
        on versions.load_id = loads.load_id
),

ordered as (
    select
        *,
        row_number() over (
            partition by registry_base, registry_name, published_version
            order by valid_from_at asc, loaded_at asc, load_id asc
        ) as state_number,
        lead(valid_from_at) over (
            partition by registry_base, registry_name, published_version
            order by valid_from_at asc, loaded_at asc, load_id asc
        ) as valid_to_at
    from versions
    where row_in_load = 1
)

select
    registry_base,
    registry_name,
    published_version,
    state_number,
    server_title,
    status,
    status_message,
    is_latest,
    package_count,
    remote_count,
    required_secret_count,
    published_at,
    status_changed_at,
    valid_from_at,
    valid_to_at
from ordered
