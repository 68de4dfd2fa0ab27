"""An MCP registry: its list of servers, with cursor, changes since and deletions."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.vendors.server import RefusalError, Request, VendorServer, page_of

DATA = Path(__file__).parent / "data" / "mcp_registry"
OFFICIAL = "io.modelcontextprotocol.registry/official"
LARGEST_PAGE = 100

Entry = dict[str, Any]


def entries() -> list[Entry]:
    """Return what the registry lists, one entry a version."""
    listed: list[Entry] = json.loads((DATA / "servers.json").read_text("utf-8"))
    return listed


class RegistryServer(VendorServer):
    """Answers with so many pages and then with errors, where that is set."""

    pages_before_failure: int | None = None


def registry(listed: list[Entry], token: str | None = None) -> RegistryServer:
    """Return a server of the entries, which a test may change; a private one wants a token."""

    def servers(request: Request) -> Any:
        if token and request.headers.get("authorization") != f"Bearer {token}":
            raise RefusalError(401, "Unauthorized")
        if server.pages_before_failure is not None:
            if not server.pages_before_failure:
                raise RefusalError(503, "no available server")
            server.pages_before_failure -= 1
        limit = int(request.one("limit") or 30)
        if not 1 <= limit <= LARGEST_PAGE:
            raise RefusalError(400, f"limit must be between 1 and {LARGEST_PAGE}")
        since = request.one("updated_since")
        shown = [
            entry
            for entry in sorted(listed, key=cursor_of)
            if (since or request.one("include_deleted") == "true" or _status(entry) != "deleted")
            and (not since or _changed_at(entry) > datetime.fromisoformat(since))
        ]
        start = 0
        if cursor := request.one("cursor"):
            cursors = [cursor_of(entry) for entry in shown]
            if cursor not in cursors:
                raise RefusalError(400, "invalid cursor")
            start = cursors.index(cursor) + 1
        page, after = page_of(shown, start, limit)
        metadata: dict[str, Any] = {"count": len(page)}
        if after is not None:
            metadata["nextCursor"] = cursor_of(page[-1])
        return {"servers": page, "metadata": metadata}

    server = RegistryServer({"/v0.1/servers": servers, "/v0/servers": servers})
    return server


def cursor_of(entry: Entry) -> str:
    """Return the cursor that the registry gives after this entry."""
    return f"{entry['server']['name']}:{entry['server']['version']}"


def _status(entry: Entry) -> str:
    return str(entry["_meta"][OFFICIAL]["status"])


def _changed_at(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry["_meta"][OFFICIAL]["updatedAt"])
