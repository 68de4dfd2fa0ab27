with

source as (
    select * from {{ source('mcp_registry', 'mcp_registry_remotes') }}
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
        transport_type,
        url,
        url_host,
        url_path,

        -- quantities
        coalesce(required_secret_count, 0) as required_secret_count
    from source
)

select * from renamed
