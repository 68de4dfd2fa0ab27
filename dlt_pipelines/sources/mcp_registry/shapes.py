"""The shapes that the registry's entries have had, each brought to the newest one.

until 2025-09-16   snake_case, the fields of the server at the top   `from_snake_case`
until 2025-10-17   camelCase, the fields of the server at the top    `from_flat`
since              ``{server, _meta}``                               as it is
"""

from collections.abc import Mapping
from typing import Any

Entry = dict[str, Any]

OFFICIAL = "io.modelcontextprotocol.registry/official"
OF_THE_REGISTRY = (
    *("status", "statusMessage", "statusChangedAt", "publishedAt", "updatedAt", "isLatest"),
    *("id", "serverId", "versionId"),
)

# what changed more than its spelling
RENAMED = {"release_date": "publishedAt", "transport_type": "type"}
RENAMED_IN_PACKAGES = {"registryName": "registryType", "name": "identifier"}


def shape_of(entry: Entry) -> str:
    """Return ``wrapped``, ``flat`` or ``snake_case``."""
    if "server" in entry:
        return "wrapped"
    official = _mapping(_mapping(entry.get("_meta")).get(OFFICIAL))
    packages = entry.get("packages")
    names = {*entry, *official}
    if isinstance(packages, list):
        names |= {name for package in packages for name in _mapping(package)}
    return "snake_case" if any("_" in name.strip("_") for name in names) else "flat"


def as_wrapped(entry: Entry) -> Entry:
    """Return the entry in the newest shape; what it does not know keeps its name."""
    shape = shape_of(entry)
    if shape == "wrapped":
        return entry
    return from_flat(entry) if shape == "flat" else from_snake_case(entry)


def from_flat(entry: Entry) -> Entry:
    """Wrap an entry that has the server's fields at the top; its status was among them."""
    meta = dict(_mapping(entry.get("_meta")))
    official = {**_mapping(meta.get(OFFICIAL))}
    server = {}
    for name, value in entry.items():
        if name == "_meta":
            continue
        if name in OF_THE_REGISTRY:
            official.setdefault(name, value)
        else:
            server[name] = value
    return {"server": server, "_meta": {**meta, OFFICIAL: official}}


def from_snake_case(entry: Entry) -> Entry:
    """Wrap an entry of the early registry, whose version was an object of its own for a time."""
    renamed = _camel_case(entry)
    detail = renamed.pop("versionDetail", None)
    if isinstance(detail, dict):
        renamed |= detail
    packages = renamed.get("packages")
    if isinstance(packages, list):
        renamed["packages"] = [_package(package) for package in packages]
    return from_flat(renamed)


def _package(package: Any) -> Any:
    if not isinstance(package, dict) or "registryName" not in package:
        return package
    return {RENAMED_IN_PACKAGES.get(name, name): value for name, value in package.items()}


def _camel_case(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_camel_case_name(name): _camel_case(item) for name, item in value.items()}


def _camel_case_name(name: str) -> str:
    if name in RENAMED:
        return RENAMED[name]
    if name.startswith(("_", "$")) or "/" in name:
        return name
    first, *more = name.split("_")
    return first + "".join(word.capitalize() for word in more)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
