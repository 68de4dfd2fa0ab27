"""Entries of the registry as rows: public facts only, and of an address neither query nor user."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dlt_pipelines.observed_rows import ApiRecord, Timestamp, content_hash
from dlt_pipelines.sources.mcp_registry.shapes import OFFICIAL

Row = dict[str, Any]
Name = Annotated[str, Field(min_length=1)]

# they say how an entry was read, not what it says
NOT_CONTENT = ("shape", "unknown_fields")


class RegistryRecord(ApiRecord):
    """One object of an entry; its fields are camelCase there."""

    model_config = ConfigDict(alias_generator=to_camel)


class Input(RegistryRecord):
    """A variable or header that a server wants; its value is none of ours."""

    # its other fields are for those who fill it in
    model_config = ConfigDict(extra="ignore")

    is_required: bool | None = None
    is_secret: bool | None = None


class Transport(RegistryRecord):
    """How a server is talked to; the early registry says it in a remote alone."""

    type: str | None = None
    url: str | None = None
    headers: list[Input] | None = None
    variables: Any = None


class Package(RegistryRecord):
    """Something to install."""

    registry_type: str | None = None
    registry_base_url: str | None = None
    identifier: str | None = None
    version: str | None = None
    runtime_hint: str | None = None
    file_sha256: str | None = Field(None, alias="fileSha256")
    transport: Transport | None = None
    runtime_arguments: Any = None
    package_arguments: Any = None
    environment_variables: list[Input] | None = None


class Repository(RegistryRecord):
    """Where the source code is."""

    url: str | None = None
    source: str | None = None
    id: str | None = None
    subfolder: str | None = None


class Server(RegistryRecord):
    """What the publisher wrote: ``server.json``."""

    schema_url: str | None = Field(None, alias="$schema")
    name: Name
    version: Name
    title: str | None = None
    description: str | None = None
    repository: Repository | None = None
    website_url: str | None = None
    icons: Any = None
    packages: list[Package] | None = None
    remotes: list[Transport] | None = None
    # what the publisher adds for itself
    meta: Any = Field(None, alias="_meta")


class Official(RegistryRecord):
    """What the registry itself says of an entry; ids came and went."""

    status: str | None = None
    status_message: str | None = None
    status_changed_at: Timestamp | None = None
    published_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    is_latest: bool | None = None
    id: str | None = None
    server_id: str | None = None
    version_id: str | None = None


class Meta(RegistryRecord):
    """What is not the publisher's, by who says it."""

    # anybody may add a name here
    model_config = ConfigDict(extra="ignore")

    official: Official = Field(default_factory=Official, alias=OFFICIAL)


class Entry(RegistryRecord):
    """One version of a server."""

    shape: str
    server: Server
    meta: Meta = Field(default_factory=Meta, alias="_meta")


@dataclass(frozen=True)
class EntryRows:
    """The rows of one entry; they land together or not at all."""

    key: tuple[str, str, str]
    content_hash: str
    version: Row
    packages: list[Row]
    remotes: list[Row]


def entry_rows(entry: Entry, registry_base: str) -> EntryRows:
    """Return the rows of an entry, each with the hash of all of them."""
    server, official = entry.server, entry.meta.official
    key = {
        "registry_base": registry_base,
        "server_name": server.name,
        "server_version": server.version,
    }
    packages = [
        {**key, "position": position, **_package_row(package)}
        for position, package in enumerate(server.packages or [])
    ]
    remotes = [
        {**key, "position": position, **_remote_row(remote)}
        for position, remote in enumerate(server.remotes or [])
    ]
    repository = server.repository or Repository()
    version = {
        **key,
        "title": server.title,
        "description": server.description,
        "status": official.status,
        "status_message": official.status_message,
        "status_changed_at": official.status_changed_at,
        "published_at": official.published_at,
        "updated_at": official.updated_at,
        "is_latest": official.is_latest,
        "repository_url": public_url(repository.url),
        "repository_source": repository.source,
        "repository_id": repository.id,
        "website_url": public_url(server.website_url),
        "schema_url": server.schema_url,
        "shape": entry.shape,
        "package_count": len(packages),
        "remote_count": len(remotes),
        "required_secret_count": sum(row["required_secret_count"] for row in (*packages, *remotes)),
        "unknown_fields": entry.unknown_fields(),
    }
    content = {name: value for name, value in version.items() if name not in NOT_CONTENT}
    digest = content_hash([content, *packages, *remotes])
    for row in (version, *packages, *remotes):
        row["content_hash"] = digest
    return EntryRows(
        (registry_base, server.name, server.version), digest, version, packages, remotes
    )


def public_url(text: str | None) -> str | None:
    """Return an address without user, query and fragment, where secrets hide."""
    if not text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=place, query="", fragment="").geturl()


def _package_row(package: Package) -> Row:
    transport = package.transport or Transport()
    identifier = package.identifier
    return {
        "registry_type": package.registry_type,
        "registry_base_url": public_url(package.registry_base_url),
        "identifier": public_url(identifier) if identifier and "://" in identifier else identifier,
        "package_version": package.version,
        "runtime_hint": package.runtime_hint,
        "file_sha256": package.file_sha256,
        "transport_type": transport.type,
        "transport_url": public_url(transport.url),
        "required_secret_count": _required_secrets(package.environment_variables)
        + _required_secrets(transport.headers),
    }


def _remote_row(remote: Transport) -> Mapping[str, Any]:
    url = public_url(remote.url)
    parts = urlsplit(url or "")
    return {
        "transport_type": remote.type or None,
        "url": url,
        "url_host": parts.netloc.lower() or None,
        "url_path": parts.path.rstrip("/") or "/",
        "required_secret_count": _required_secrets(remote.headers),
    }


def _required_secrets(inputs: list[Input] | None) -> int:
    return sum(bool(wanted.is_required and wanted.is_secret) for wanted in inputs or [])
