with

source as (
    select * from {{ source('mcp_registry', 'mcp_registry_packages') }}
),

renamed as (
    select
        -- ids
        load_id,
        registry_base,
        server_name as registry_name,
        server_version as published_version,
        content_hash,
        position as position_in_entry,

        -- strings
        registry_type,
        registry_base_url,
        identifier,
        package_version,
        runtime_hint,
        file_sha256,
        transport_type,
        transport_url,

        -- quantities
        coalesce(required_secret_count, 0) as required_secret_count
    from source
)

select * from renamed
