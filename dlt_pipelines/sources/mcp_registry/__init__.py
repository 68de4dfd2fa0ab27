"""The MCP Registry: which servers there are, in which versions, and what became of them.

<registry>/v0.1/servers  ->  mcp_registry_versions   one row a version, again when it changed
or dumped files              mcp_registry_packages   one row a package of such a row
                             mcp_registry_remotes    one row a hosted endpoint of such a row
                             mcp_registry_bookmarks  how far each registry was read
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dlt_pipelines import exact_json
from dlt_pipelines.config import expand_path
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.landing import newest_sql
from dlt_pipelines.observed_rows import ObservedRows, landed, newest_hashes
from dlt_pipelines.plugin import LoadContext, SourcePlugin
from dlt_pipelines.rest import HttpStatusError
from dlt_pipelines.sources.mcp_registry import tables
from dlt_pipelines.sources.mcp_registry.client import Page, RegistryClient
from dlt_pipelines.sources.mcp_registry.records import Entry, EntryRows, entry_rows
from dlt_pipelines.sources.mcp_registry.shapes import as_wrapped, shape_of

if TYPE_CHECKING:
    from dlt.extract import DltResource

OFFICIAL_REGISTRY = "https://registry.modelcontextprotocol.io"
KEY = ("registry_base", "server_name", "server_version")
# what a registry may answer to a cursor that it does not know any more
CURSOR_REFUSED = (400, 404, 410, 422)


class Registry(BaseModel):
    """The official registry, or another with the same API."""

    model_config = ConfigDict(extra="forbid")

    base_url: str = Field(OFFICIAL_REGISTRY, description="Its address, without the API's version.")
    api_version: str = Field("v0.1", description="The first part of the API's paths.")
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description="Headers to send, such as a sub-registry's login."
    )
    include_deleted: bool = Field(
        True, description="Ask for deleted entries at the first pull, too; later ones always do."
    )


class McpRegistryConfig(BaseModel):
    """Configuration of the source mcp_registry."""

    model_config = ConfigDict(extra="forbid")

    registries: list[Registry] | None = Field(
        None, description="Which registries to read. Default: the official one, without `paths`."
    )
    paths: list[Path] = Field(
        default_factory=list,
        description="Dumped files: a JSON list of entries, or a page as the API answers, "
        "of any shape that the registry has had.",
    )
    paths_registry_base: str = Field(
        OFFICIAL_REGISTRY, description="The registry that the dumped files are from."
    )
    overlap_hours: int = Field(
        24, ge=0, description="How far before the newest change seen to ask again."
    )
    page_size: int = Field(100, ge=1, le=100, description="Entries a page; 100 at most.")
    pages_per_load: int = Field(
        50, ge=1, description="Pages that are loaded at once: what a kill costs."
    )


class McpRegistryPlugin(SourcePlugin[McpRegistryConfig]):
    """Keep a history of what MCP registries list."""

    name = "mcp_registry"
    version = "1.0.0"
    configuration = McpRegistryConfig
    tables = tables.ALL

    def __init__(self, config: McpRegistryConfig, context: LoadContext) -> None:
        """Take the checked configuration and the run to load for; read nothing yet."""
        super().__init__(config, context)
        self._rows = ObservedRows(context, self.name, tables.ALL)

    def fetch(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterable["DltResource"]:
        """Return entries that are new or changed; ``since`` and ``until`` go by their change.

        Raises MindweaveError for a file that is no dump, and as `Api` does.
        """
        self._keep_since, self._keep_until = since, until
        self._read_files()
        registries = self.config.registries
        if registries is None:
            registries = [] if self.config.paths else [Registry()]
        known = newest_hashes(self.context, tables.VERSIONS, KEY) if registries else {}
        bookmarks = _bookmarks(self.context) if registries else {}
        for registry in registries:
            base = registry.base_url.rstrip("/")
            self._read_registry(registry, base, bookmarks.get(base, {}), known)
            if not self.is_complete:
                break
        return self._rows.resources()

    def _read_files(self) -> None:
        if not self.config.paths:
            return
        base = self.config.paths_registry_base.rstrip("/")
        # a dump is history: what landed once is not news, whatever landed since
        seen = {
            tuple(row.values())
            for row in landed(
                self.context,
                "select distinct registry_base, server_name, server_version, content_hash "
                "from {raw}.mcp_registry_versions",
            )
        }
        for configured in self.config.paths:
            path = expand_path(configured, self.context.home)
            for rows in self._parsed(_dumped(path), base, path.name):
                if (*rows.key, rows.content_hash) in seen:
                    self._rows.ignore(1)
                else:
                    seen.add((*rows.key, rows.content_hash))
                    self._add(rows)
            self.context.counts.files_read += 1
            self.context.counts.bytes_read += path.stat().st_size

    def _read_registry(
        self,
        registry: Registry,
        base: str,
        bookmark: dict[str, Any],
        known: dict[tuple[Any, ...], str],
    ) -> None:
        """Read one registry on from its bookmark, as many pages as one load may have."""
        client = RegistryClient(
            base,
            registry.api_version,
            {name: value.get_secret_value() for name, value in registry.headers.items()},
        )
        cursor, newest = bookmark.get("next_cursor"), bookmark.get("newest_change_at")
        since = bookmark.get("updated_since")
        if not cursor and newest:
            since = newest - timedelta(hours=self.config.overlap_hours)

        def pages(after: str | None) -> Iterator[Page]:
            return client.pages(
                self.config.page_size,
                cursor=after,
                updated_since=since,
                include_deleted=registry.include_deleted,
            )

        newest_before, next_cursor = newest, None
        for page in islice(_from_cursor_or_start(pages, cursor), self.config.pages_per_load):
            next_cursor = page.next_cursor
            for rows in self._parsed(page.entries, base, base):
                changed_at = _changed_at(rows)
                newest = max(filter(None, (newest, changed_at)), default=None)
                if known.get(rows.key) == rows.content_hash:
                    self._rows.ignore(1)
                else:
                    known[rows.key] = rows.content_hash
                    self._add(rows)
        self.is_complete = next_cursor is None
        if not self.is_complete or cursor or newest != newest_before:
            self._rows.add(
                tables.BOOKMARKS,
                [
                    {
                        "registry_base": base,
                        "updated_since": since,
                        "next_cursor": next_cursor,
                        "newest_change_at": newest,
                        "read_at": self.context.now,
                    }
                ],
            )

    def _parsed(self, entries: Iterable[Any], base: str, location: str) -> Iterator[EntryRows]:
        wrapped = (
            {**as_wrapped(entry), "shape": shape_of(entry)} if isinstance(entry, dict) else entry
            for entry in entries
        )
        for entry in self._rows.parse(Entry, wrapped, location):
            rows = entry_rows(entry, base)
            changed_at = _changed_at(rows)
            if changed_at and (
                (self._keep_since and changed_at < self._keep_since)
                or (self._keep_until and changed_at >= self._keep_until)
            ):
                self._rows.ignore(1)
                continue
            yield rows

    def _add(self, rows: EntryRows) -> None:
        self._rows.add(tables.VERSIONS, [rows.version])
        self._rows.add(tables.PACKAGES, rows.packages)
        self._rows.add(tables.REMOTES, rows.remotes)


def _from_cursor_or_start(
    pages: Callable[[str | None], Iterator[Page]], cursor: str | None
) -> Iterator[Page]:
    """Go on at a cursor, or begin again where the registry does not know it any more."""
    try:
        yield from pages(cursor)
    except HttpStatusError as error:
        if not cursor or error.status not in CURSOR_REFUSED:
            raise
        yield from pages(None)


def _changed_at(rows: EntryRows) -> datetime | None:
    times = (rows.version[name] for name in ("updated_at", "status_changed_at", "published_at"))
    return max(filter(None, times), default=None)


def _dumped(path: Path) -> list[Any]:
    """Return the entries of a file: a list, or a page of the API."""
    try:
        content = exact_json.parse(path.read_bytes())
    except OSError as error:
        raise MindweaveError(
            f"source mcp_registry: {path} cannot be read ({type(error).__name__}): is the path "
            "right?"
        ) from None
    except (ValueError, RecursionError):
        raise MindweaveError(f"source mcp_registry: {path} is not JSON") from None
    entries = content.get("servers") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise MindweaveError(
            f"source mcp_registry: {path} is no dump: a list of entries, or an object with a list "
            "`servers`"
        )
    return entries


def _bookmarks(context: LoadContext) -> dict[str, dict[str, Any]]:
    """Return the newest bookmark of each registry that a completed load wrote."""
    told = ("registry_base", "updated_since", "next_cursor", "newest_change_at")
    rows = landed(context, newest_sql("mcp_registry_bookmarks", told, told[:1]))
    return {row["registry_base"]: row for row in rows}
