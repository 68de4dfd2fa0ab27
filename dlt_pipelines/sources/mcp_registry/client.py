"""The registry's list of servers, page by page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.rest import Api


@dataclass(frozen=True)
class Page:
    """One page of entries and where the next one begins, if there is one."""

    entries: list[Any]
    next_cursor: str | None


class RegistryClient:
    """Reads one registry, the official one or another with the same API."""

    def __init__(self, base_url: str, api_version: str, headers: Mapping[str, str]) -> None:
        """Take its address; send nothing yet."""
        self._api = Api("mcp_registry", base_url, headers)
        self._path = f"/{api_version}/servers"

    def pages(
        self,
        limit: int,
        *,
        cursor: str | None = None,
        updated_since: datetime | None = None,
        include_deleted: bool = False,
    ) -> Iterator[Page]:
        """Yield the pages from ``cursor`` on, changed after ``updated_since`` where it is given."""
        from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

        params: dict[str, Any] = {"limit": limit}
        if updated_since:
            # it switches include_deleted on
            params["updated_since"] = updated_since.isoformat(timespec="milliseconds") + "Z"
        elif include_deleted:
            params["include_deleted"] = "true"
        if cursor:
            params["cursor"] = cursor
        paginator = JSONResponseCursorPaginator("metadata.nextCursor", "cursor")
        for page in self._api.pages(self._path, params, paginator):
            entries, metadata = page.get("servers", page), page.get("metadata")
            if not isinstance(entries, list | None):
                raise MindweaveError(
                    f"source mcp_registry: {self._path} answered with no list of servers: is "
                    "base_url a registry's?"
                )
            cursor = metadata.get("nextCursor") if isinstance(metadata, dict) else None
            yield Page(entries or [], cursor or None)
