{#
  The early registry told no status; all that it listed was active. `changed_at` is when the registry
  changed the entry.
#}
with

source as (
    select * from {{ source('mcp_registry', 'mcp_registry_versions') }}
),

renamed as (
    select
        -- ids; loaders say varchar where the marts promise text
        cast(load_id as {{ dbt.type_string() }}) as load_id,
        cast(registry_base as {{ dbt.type_string() }}) as registry_base,
        cast(server_name as {{ dbt.type_string() }}) as registry_name,
        cast(server_version as {{ dbt.type_string() }}) as published_version,
        cast(content_hash as {{ dbt.type_string() }}) as content_hash,

        -- strings
        cast(title as {{ dbt.type_string() }}) as server_title,
        cast(description as {{ dbt.type_string() }}) as description,
        cast(coalesce(status, 'active') as {{ dbt.type_string() }}) as status,
        cast(status_message as {{ dbt.type_string() }}) as status_message,
        cast(repository_url as {{ dbt.type_string() }}) as repository_url,
        cast(repository_source as {{ dbt.type_string() }}) as repository_source,
        cast(repository_id as {{ dbt.type_string() }}) as repository_id,
        cast(website_url as {{ dbt.type_string() }}) as website_url,

        -- booleans
        coalesce(is_latest, false) as is_latest,

        -- quantities
        coalesce(package_count, 0) as package_count,
        coalesce(remote_count, 0) as remote_count,
        coalesce(required_secret_count, 0) as required_secret_count,

        -- timestamps
        published_at,
        status_changed_at,
        coalesce(updated_at, status_changed_at, published_at) as changed_at
    from source
)

select * from renamed
