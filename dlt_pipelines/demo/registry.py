"""The company's own registry of MCP servers, as a dump of what its API answers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NAMESPACE = "com.northwind"
SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
VERSIONS = (("1.0.0", "2026-03-02T09:00:00Z"), ("1.1.0", "2026-08-17T09:00:00Z"))


def files(servers: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield the name and content of the dump; ``servers`` are tools by alias."""
    entries = [
        _entry(alias, tools, version, published_at)
        for alias, tools in sorted(servers.items())
        for version, published_at in VERSIONS
    ]
    yield "registry/servers.json", json.dumps(entries, indent=1)


def _entry(alias: str, tools: Sequence[str], version: str, published_at: str) -> dict[str, Any]:
    is_latest = version == VERSIONS[-1][0]
    return {
        "server": {
            "$schema": SCHEMA,
            "name": f"{NAMESPACE}/{alias}",
            "title": alias.replace("_", " ").title(),
            "description": f"Tools: {', '.join(tools)}",
            "version": version,
            "remotes": [
                {
                    "type": "streamable-http",
                    "url": f"https://mcp.northwind.example/{alias}",
                    "headers": [{"name": "Authorization", "isRequired": True, "isSecret": True}],
                }
            ],
        },
        "_meta": {
            "io.modelcontextprotocol.registry/official": {
                "status": "active",
                "statusChangedAt": published_at,
                "publishedAt": published_at,
                "updatedAt": VERSIONS[-1][1],
                "isLatest": is_latest,
            }
        },
    }
