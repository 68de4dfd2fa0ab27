"""Anthropic's Admin API as its pages describe it, over the files in data/anthropic_admin.

``usage.json`` and ``costs.json`` hold what happened, at the minute and with every dimension; the
server groups it as it is asked to, in both generations of reports. The lists are as the vendor
answers them, and may be changed between two requests.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.vendors.server import RefusalError, Request, VendorServer

DATA = Path(__file__).parent / "data" / "anthropic_admin"
ROOT = "/v1/organizations"
ADMIN_KEY = "sk-ant-admin01-test"
ANALYTICS_KEY = "sk-ant-api01-analytics"
OAUTH_TOKEN = "oauth-org-admin"  # noqa: S105
DEFAULT_WORKSPACE = "wrkspc_01Default7Kd2mQx9VbT4sLrYpNe"

WIDTHS = {"1d": timedelta(days=1), "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}
CLASSIC_LIMITS = {"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)}
CLASSIC_USAGE = (
    "account_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "service_account_id",
    "service_tier",
    "speed",
    "workspace_id",
)
DESCRIBED = (
    "context_window",
    "cost_type",
    "description",
    "inference_geo",
    "model",
    "service_tier",
    "token_type",
)
ANALYTICS = (
    "actor",
    "actor_type",
    "agent_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "organization_id",
    "product",
    "service_tier",
    "speed",
    "workspace_id",
)

Record = dict[str, Any]


def _load(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text("utf-8"), parse_float=Decimal)


class AnthropicAdmin:
    """One organization's Admin API; ``now`` is what time it is there."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.refreshed_at = now - timedelta(hours=4)
        self.usage: list[Record] = _load("usage")
        self.costs: list[Record] = _load("costs")
        self.claude_code: list[Record] = _load("claude_code")
        self.lists: dict[str, list[Record]] = {
            name: _load(name)
            for name in ("users", "workspaces", "workspace_members", "api_keys", "service_accounts")
        }
        self.refused: dict[str, int] = {}
        """The status that an endpoint answers with, by its path below the organization."""
        self.refreshes_at_page: int | None = None
        """Refresh the data, once, before the page with this number is asked for."""
        self._version = 0
        routes: dict[str, Callable[[Request], Any]] = {
            "analytics/usage": self._analytics("usage"),
            "analytics/cost": self._analytics("cost"),
            "usage_report/messages": self._classic_usage,
            "cost_report": self._classic_cost,
            "usage_report/claude_code": self._claude_code,
            "me": lambda request: _load("me"),
            "users": self._list("users"),
            "workspaces": self._workspaces,
            "workspaces/*/members": self._members,
            "api_keys": self._list("api_keys"),
            "service_accounts": self._service_accounts,
        }
        self.server = VendorServer(
            {f"{ROOT}/{path}": self._guarded(path, route) for path, route in routes.items()}
        )

    @contextmanager
    def running(self) -> Iterator[str]:
        with self.server.running() as url:
            yield url

    def asked(self, path: str) -> list[Request]:
        return self.server.asked(f"{ROOT}/{path}")

    def refresh(self) -> None:
        """Refresh the data behind the analytics endpoints: pages under way are gone."""
        self._version += 1

    def _guarded(self, path: str, route: Callable[[Request], Any]) -> Callable[[Request], Any]:
        def guarded(request: Request) -> Any:
            if request.headers.get("anthropic-version") != "2023-06-01":
                raise RefusalError(400, "anthropic-version: header is required")
            key = request.headers.get("x-api-key")
            token = request.headers.get("authorization")
            if key not in (ADMIN_KEY, ANALYTICS_KEY) and token != f"Bearer {OAUTH_TOKEN}":
                raise RefusalError(401, "invalid x-api-key", "authentication_error")
            if key == ANALYTICS_KEY and path not in ("analytics/usage", "analytics/cost"):
                raise RefusalError(403, "missing scope", "permission_error")
            if path in self.refused:
                raise RefusalError(self.refused[path], "not here")
            return route(request)

        return guarded

    def _analytics(self, report: str) -> Callable[[Request], Any]:
        def answer(request: Request) -> Any:
            if request.headers.get("anthropic-beta") != "analytics-usage-cost-2026-08-24":
                raise RefusalError(404, "not found", "not_found_error")
            start, end = _time(request, "starting_at"), _time(request, "ending_at")
            width = request.one("time_bucket_width")
            if not start or not end or width not in WIDTHS:
                raise RefusalError(400, "starting_at, ending_at, time_bucket_width: wrong")
            if start < self.now - timedelta(days=365) or start < datetime(2026, 1, 1):
                raise RefusalError(400, "starting_at: too far back")
            longest = timedelta(days=1 if width == "1m" else 31)
            if end <= start or end - start > longest:
                raise RefusalError(400, "the range is empty or too long")
            group_by = request.many("group_by")
            extra = ("cost_type", "token_type") if report == "cost" else ()
            if not set(group_by) <= {*ANALYTICS, *extra} or len(set(group_by) - set(extra)) > 5:
                raise RefusalError(400, "group_by: unknown, or more than 5")
            limit = _limit(request, 20, 1000)
            query = f"{report} {start} {end} {width} {group_by}"
            number = 0
            if page := request.one("page"):
                asked, version, number = json.loads(bytes.fromhex(page.removeprefix("page_")))
                if asked != query:
                    raise RefusalError(400, "page: made by another query")
                if number == self.refreshes_at_page:
                    self.refreshes_at_page = None
                    self.refresh()
                if version != self._version:
                    raise RefusalError(410, "the data was refreshed: start again")
            records = self.usage if report == "usage" else self.costs
            rows = list(self._analytics_rows(report, records, start, end, width, group_by))
            more = (number + 1) * limit < len(rows)
            cursor = json.dumps([query, self._version, number + 1]).encode().hex()
            return {
                "data": rows[number * limit : (number + 1) * limit],
                "has_more": more,
                "next_page": f"page_{cursor}" if more else None,
                "data_refreshed_at": _text(self.refreshed_at),
            }

        return answer

    def _analytics_rows(
        self,
        report: str,
        records: Sequence[Record],
        start: datetime,
        end: datetime,
        width: str,
        group_by: Sequence[str],
    ) -> Iterator[Record]:
        def group_of(record: Record) -> Record:
            return {name: record["group"].get(name) for name in group_by}

        add = _sum_of_usage if report == "usage" else _sum_of_costs
        for at, groups in _grouped(records, start, end, width, group_of).items():
            for group, members in groups:
                measures = add(members)
                if report == "cost" and {"cost_type", "token_type"} & set(group_by):
                    measures["requests"] = None
                yield {
                    "starting_at": _text(at),
                    "ending_at": _text(min(at + WIDTHS[width], end)),
                    "group": group,
                    report: measures,
                }

    def _classic_usage(self, request: Request) -> Any:
        group_by = request.many("group_by")
        if not set(group_by) <= set(CLASSIC_USAGE):
            raise RefusalError(400, "group_by: unknown")
        beta = request.headers.get("anthropic-beta")
        if "speed" in group_by and beta != "fast-mode-2026-02-01":
            raise RefusalError(400, "group_by: speed needs a beta header")

        def group_of(record: Record) -> Record:
            known = _classic_group(record["group"])
            names = [name for name in CLASSIC_USAGE if name != "speed" or "speed" in group_by]
            return {name: known.get(name) if name in group_by else None for name in names}

        def result(group: Record, members: Sequence[Record]) -> Record:
            usage = _sum_of_usage(members)
            return {**{k: v for k, v in usage.items() if k not in _ONLY_NEWEST}, **group}

        return self._buckets(request, self.usage, group_of, result, tuple(WIDTHS))

    def _classic_cost(self, request: Request) -> Any:
        group_by = request.many("group_by")
        if not set(group_by) <= {"workspace_id", "description"}:
            raise RefusalError(400, "group_by: unknown")
        shown = {"workspace_id"} if "workspace_id" in group_by else set()
        shown |= set(DESCRIBED) if "description" in group_by else set()

        def group_of(record: Record) -> Record:
            known = {**_classic_group(record["group"]), "description": record["description"]}
            names = (*DESCRIBED, "workspace_id")
            return {name: known.get(name) if name in shown else None for name in names}

        def result(group: Record, members: Sequence[Record]) -> Record:
            return {"amount": _sum_of_costs(members)["amount"], "currency": "USD", **group}

        # what a commitment pays is not in it
        costs = [each for each in self.costs if each["group"]["service_tier"] != "priority"]
        return self._buckets(request, costs, group_of, result, ("1d",))

    def _buckets(
        self,
        request: Request,
        records: Sequence[Record],
        group_of: Callable[[Record], Record],
        result: Callable[[Record, Sequence[Record]], Record],
        widths: Sequence[str],
    ) -> Any:
        width = request.one("bucket_width") or "1d"
        if width not in widths:
            raise RefusalError(400, "bucket_width: unknown")
        start, end = _time(request, "starting_at"), _time(request, "ending_at") or self.now
        if not start or end <= start:
            raise RefusalError(400, "starting_at, ending_at: wrong")
        limit = _limit(request, *CLASSIC_LIMITS[width])
        if page := request.one("page"):
            start = datetime.fromisoformat(bytes.fromhex(page.removeprefix("page_")).decode())
        buckets: list[Record] = []
        at = _floor(start, width)
        while at < end and len(buckets) < limit:
            after = at + WIDTHS[width]
            groups = _grouped(records, at, after, width, group_of).get(at, [])
            buckets.append(
                {
                    "starting_at": _text(at),
                    "ending_at": _text(after),
                    "results": [result(group, members) for group, members in groups],
                }
            )
            at = after
        more = at < end
        cursor = f"page_{at.isoformat().encode().hex()}" if more else None
        return {"data": buckets, "has_more": more, "next_page": cursor}

    def _claude_code(self, request: Request) -> Any:
        day = request.one("starting_at") or ""
        if len(day) != 10:
            raise RefusalError(400, "starting_at: YYYY-MM-DD")
        limit = _limit(request, 20, 1000)
        number = int(bytes.fromhex((request.one("page") or "page_30").removeprefix("page_")))
        found = [record for record in self.claude_code if record["date"].startswith(day)]
        more = (number + 1) * limit < len(found)
        return {
            "data": found[number * limit : (number + 1) * limit],
            "has_more": more,
            "next_page": f"page_{str(number + 1).encode().hex()}" if more else None,
        }

    def _list(self, name: str) -> Callable[[Request], Any]:
        return lambda request: _after(self.lists[name], request)

    def _workspaces(self, request: Request) -> Any:
        with_archived = request.one("include_archived") == "true"
        found = [
            each for each in self.lists["workspaces"] if with_archived or not each["archived_at"]
        ]
        return _after(found, request)

    def _members(self, request: Request) -> Any:
        (workspace,) = request.groups
        members = self.lists["workspace_members"]
        found = [each for each in members if each["workspace_id"] == workspace]
        return _after(found, request, "user_id")

    def _service_accounts(self, request: Request) -> Any:
        if "authorization" not in request.headers:
            raise RefusalError(403, "an OAuth token is needed", "permission_error")
        return _after(self.lists["service_accounts"], request)


_ONLY_NEWEST = ("requests", "total_tokens")


def _after(items: Sequence[Record], request: Request, id_name: str = "id") -> Any:
    limit = _limit(request, 20, 1000)
    ids = [item[id_name] for item in items]
    start = 0
    if after := request.one("after_id"):
        if after not in ids:
            raise RefusalError(400, "after_id: unknown")
        start = ids.index(after) + 1
    page = list(items[start : start + limit])
    return {
        "data": page,
        "has_more": start + limit < len(items),
        "first_id": page[0][id_name] if page else None,
        "last_id": page[-1][id_name] if page else None,
    }


def _classic_group(group: Record) -> Record:
    """Return a group in the words of the classic reports: the default workspace has no id there."""
    actor = group["actor"]
    workspace = group["workspace_id"]
    return {
        **group,
        "account_id": actor.get("user_id"),
        "service_account_id": actor.get("service_account_id"),
        "workspace_id": None if workspace == DEFAULT_WORKSPACE else workspace,
    }


def _grouped(
    records: Sequence[Record],
    start: datetime,
    end: datetime,
    width: str,
    group_of: Callable[[Record], Record],
) -> dict[datetime, list[tuple[Record, list[Record]]]]:
    found: dict[datetime, dict[str, tuple[Record, list[Record]]]] = {}
    for record in sorted(records, key=lambda record: record["at"]):
        at = _floor(_parsed(record["at"]), width)
        if not start <= at < end:
            continue
        group = group_of(record)
        groups = found.setdefault(at, {})
        groups.setdefault(json.dumps(group, sort_keys=True), (group, []))[1].append(record)
    return {at: list(groups.values()) for at, groups in found.items()}


def _sum_of_usage(members: Sequence[Record]) -> Record:
    def total(*path: str) -> int:
        counts = (_at(member["usage"], path) for member in members)
        return sum(counts)

    usage: Record = {
        "uncached_input_tokens": total("uncached_input_tokens"),
        "cache_creation": {
            name: total("cache_creation", name)
            for name in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
        },
        "cache_read_input_tokens": total("cache_read_input_tokens"),
        "output_tokens": total("output_tokens"),
        "server_tool_use": {"web_search_requests": total("server_tool_use", "web_search_requests")},
        "requests": total("requests"),
    }
    kinds = ("uncached_input_tokens", "cache_read_input_tokens", "output_tokens")
    usage["total_tokens"] = sum(usage[kind] for kind in kinds) + sum(
        usage["cache_creation"].values()
    )
    return usage


def _sum_of_costs(members: Sequence[Record]) -> Record:
    def total(name: str) -> str:
        return str(sum((Decimal(member[name]) for member in members), Decimal("0.000000")))

    return {
        "amount": total("amount"),
        "list_amount": total("list_amount"),
        "currency": members[0]["currency"],
        "requests": len(members),
    }


def _at(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = value[name]
    return value


def _limit(request: Request, default: int, most: int) -> int:
    limit = int(request.one("limit") or default)
    if not 1 <= limit <= most:
        raise RefusalError(400, f"limit: between 1 and {most}")
    return limit


def _time(request: Request, name: str) -> datetime | None:
    text = request.one(name)
    return _parsed(text) if text else None


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
    except ValueError:
        raise RefusalError(400, "not a time") from None


def _floor(time: datetime, width: str) -> datetime:
    day = datetime(time.year, time.month, time.day)
    return day + (time - day) // WIDTHS[width] * WIDTHS[width]


def _text(time: datetime) -> str:
    return time.isoformat(timespec="seconds") + "Z"
