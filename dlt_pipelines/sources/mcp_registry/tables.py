"""The raw tables of the source mcp_registry."""

from dlt_pipelines.landing import RawTable

VERSIONS = RawTable(
    "mcp_registry_versions",
    {
        "load_id": "text",
        "registry_base": "text",
        "server_name": "text",
        "server_version": "text",
        "title": "text",
        "description": "text",
        "status": "text",
        "status_message": "text",
        "status_changed_at": "timestamp",
        "published_at": "timestamp",
        "updated_at": "timestamp",
        "is_latest": "bool",
        "repository_url": "text",
        "repository_source": "text",
        "repository_id": "text",
        "website_url": "text",
        "schema_url": "text",
        "shape": "text",
        "package_count": "bigint",
        "remote_count": "bigint",
        "required_secret_count": "bigint",
        "content_hash": "text",
        "unknown_fields": "text",
    },
)

PACKAGES = RawTable(
    "mcp_registry_packages",
    {
        "load_id": "text",
        "registry_base": "text",
        "server_name": "text",
        "server_version": "text",
        "position": "bigint",
        "registry_type": "text",
        "registry_base_url": "text",
        "identifier": "text",
        "package_version": "text",
        "runtime_hint": "text",
        "file_sha256": "text",
        "transport_type": "text",
        "transport_url": "text",
        "required_secret_count": "bigint",
        "content_hash": "text",
    },
)

REMOTES = RawTable(
    "mcp_registry_remotes",
    {
        "load_id": "text",
        "registry_base": "text",
        "server_name": "text",
        "server_version": "text",
        "position": "bigint",
        "transport_type": "text",
        "url": "text",
        "url_host": "text",
        "url_path": "text",
        "required_secret_count": "bigint",
        "content_hash": "text",
    },
)

BOOKMARKS = RawTable(
    "mcp_registry_bookmarks",
    {
        "load_id": "text",
        "registry_base": "text",
        "updated_since": "timestamp",
        "next_cursor": "text",
        "newest_change_at": "timestamp",
        "read_at": "timestamp",
    },
)

ALL = (VERSIONS, PACKAGES, REMOTES, BOOKMARKS)
