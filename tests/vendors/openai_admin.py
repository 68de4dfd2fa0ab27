"""OpenAI's organization API: reports that are grouped as asked, lists, an audit log."""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.vendors.server import RefusalError, Request, VendorServer, page_of

DATA = Path(__file__).parent / "data" / "openai_admin"
ADMIN_KEY = "sk-admin-of-a-test"
KEY_WITHOUT_SCOPES = "sk-admin-without-scopes"
PAGES = {"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)}
USAGE_DIMENSIONS = ("project_id", "user_id", "api_key_id", "model", "batch", "service_tier")
COST_DIMENSIONS = ("project_id", "line_item", "api_key_id", "user_id")
REPORTS = (
    *("completions", "embeddings", "moderations", "images", "audio_speeches"),
    *("audio_transcriptions", "vector_stores", "code_interpreter_sessions"),
    *("file_search_calls", "web_search_calls"),
)
LISTS = ("users", "projects", "admin_api_keys")
LISTS_OF_PROJECTS = ("users", "service_accounts", "api_keys")

Json = dict[str, Any]


class OpenaiServer(VendorServer):
    """Serves what a test may change in `data`: by report, by list, by list and project."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        routes: dict[str, Callable[[Request], Any]] = {
            "/v1/organization/costs": self._costs,
            "/v1/organization/audit_logs": self._audit_logs,
            **{f"/v1/organization/usage/{name}": self._usage(name) for name in REPORTS},
            **{f"/v1/organization/{name}": self._list(name) for name in LISTS},
        }
        for name in LISTS_OF_PROJECTS:
            routes[f"/v1/organization/projects/*/{name}"] = self._list_of_project(name)
        super().__init__(routes)

    def _usage(self, name: str) -> Callable[[Request], Any]:
        def usage(request: Request) -> Any:
            _check_key(request)
            width = request.one("bucket_width", "1d") or ""
            if width not in PAGES:
                raise RefusalError(400, f"Invalid value: '{width}'.")
            buckets = self.data[f"usage_{name}"]
            return _report(request, buckets, USAGE_DIMENSIONS, *PAGES[width])

        return usage

    def _costs(self, request: Request) -> Any:
        _check_key(request)
        if request.one("bucket_width", "1d") != "1d":
            raise RefusalError(400, "bucket_width must be 1d")
        grouped = request.many("group_by")
        if {"user_id", "project_id"} <= set(grouped):
            raise RefusalError(400, "Grouping by user_id and project_id is not supported.")
        return _report(request, self.data["costs"], COST_DIMENSIONS, 7, 180)

    def _audit_logs(self, request: Request) -> Any:
        _check_key(request)
        since = int(request.one("effective_at[gte]") or 0)
        until = int(request.one("effective_at[lt]") or 2**40)
        events = [
            event for event in self.data["audit_logs"] if since <= event["effective_at"] < until
        ]
        events.sort(key=lambda event: event["effective_at"], reverse=True)
        return _list_page(request, events)

    def _list(self, name: str) -> Callable[[Request], Any]:
        def listed(request: Request) -> Any:
            _check_key(request)
            items = self.data[name]
            if name == "projects" and request.one("include_archived") != "true":
                items = [item for item in items if item["status"] != "archived"]
            return _list_page(request, items)

        return listed

    def _list_of_project(self, name: str) -> Callable[[Request], Any]:
        def listed(request: Request) -> Any:
            _check_key(request)
            (project,) = request.groups
            if project not in self.data[f"project_{name}"]:
                raise RefusalError(404, f"No project {project}")
            return _list_page(request, self.data[f"project_{name}"][project])

        return listed


def openai_server() -> OpenaiServer:
    """Return a server of the data files."""
    return OpenaiServer(
        {
            path.stem: json.loads(path.read_text("utf-8"), parse_float=Decimal)
            for path in DATA.glob("*.json")
        }
    )


def _check_key(request: Request) -> None:
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    if key == KEY_WITHOUT_SCOPES:
        raise RefusalError(403, "You have insufficient permissions for this operation.")
    if key != ADMIN_KEY:
        raise RefusalError(401, f"Incorrect API key provided: {key}.")


def _report(
    request: Request, buckets: list[Json], dimensions: Sequence[str], default: int, most: int
) -> Any:
    if not request.one("start_time"):
        raise RefusalError(400, "Missing required parameter: 'start_time'.")
    start, end = int(request.one("start_time") or 0), int(request.one("end_time") or 2**40)
    limit = int(request.one("limit") or default)
    if not 1 <= limit <= most:
        raise RefusalError(400, f"limit must be between 1 and {most}")
    grouped = request.many("group_by")
    for name in grouped:
        if name not in dimensions:
            raise RefusalError(400, f"Invalid value: '{name}'.")
    shown = [_grouped(bucket, grouped) for bucket in buckets if start <= bucket["start_time"] < end]
    page, after = page_of(shown, int((request.one("page") or "page_0")[5:]), limit)
    return {
        "object": "page",
        "data": page,
        "has_more": after is not None,
        "next_page": None if after is None else f"page_{after}",
    }


def _grouped(bucket: Json, grouped: Sequence[str]) -> Json:
    """Add up what the grouping does not tell apart; a dimension not grouped by is null."""
    name = "result" if "result" in bucket else "results"
    groups: dict[tuple[Any, ...], Json] = {}
    for result in bucket[name]:
        shown = dict(result)
        for dimension in (*USAGE_DIMENSIONS, *COST_DIMENSIONS):
            if dimension in shown and dimension not in grouped:
                shown[dimension] = None
        if "line_item" in shown and "line_item" not in grouped:
            shown |= {"quantity": None, "quantity_unit": None}
        key = tuple(shown.get(dimension) for dimension in grouped)
        if key not in groups:
            groups[key] = shown
            continue
        held = groups[key]
        for field, value in shown.items():
            if isinstance(value, int) and not isinstance(value, bool):
                held[field] = held.get(field, 0) + value
        if "amount" in held:
            total = Decimal(held["amount"]["value"]) + Decimal(shown["amount"]["value"])
            held["amount"] = {**held["amount"], "value": total}
    return {**bucket, name: list(groups.values())}


def _list_page(request: Request, items: list[Json]) -> Any:
    limit = int(request.one("limit") or 20)
    if not 1 <= limit <= 100:
        raise RefusalError(400, "limit must be between 1 and 100")
    ids = [item["id"] for item in items]
    start = 0
    if after := request.one("after"):
        if after not in ids:
            raise RefusalError(400, f"No such object: {after}")
        start = ids.index(after) + 1
    page, following = page_of(items, start, min(limit, LARGEST_LIST_PAGE))
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": following is not None,
    }


# small, so that a test has several
LARGEST_LIST_PAGE = 2
