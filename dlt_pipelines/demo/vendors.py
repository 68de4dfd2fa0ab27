"""Answer as the vendors' APIs do, from what the demo workload wrote, while a command runs.

usage: python -m dlt_pipelines.demo.vendors OUT COMMAND [ARGUMENT ...]

OUT/api/<vendor>/<list>.json are the lists; they are served on 127.0.0.1. The command finds
addresses and keys in its environment: without it none of these sources is configured.
"""

import datetime as dt
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dlt_pipelines.demo.loopback import answering, send

CUSTOMER = "demo"

Query = Mapping[str, str]
Answer = Mapping[str, Any]


class Lists:
    """The lists of one vendor, as they were written."""

    def __init__(self, folder: Path) -> None:
        """Read all of them."""
        self._lists = {
            path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")
        }

    def __getitem__(self, name: str) -> Any:
        """Return a list; one that there is not is empty."""
        return self._lists.get(name, [])


def anthropic(lists: Lists) -> Mapping[str, Callable[..., Answer]]:
    """Return what the Admin API answers, by path; a group of the path is an argument."""

    def report(query: Query, name: str) -> Answer:
        # times of one form sort as texts
        start, end = query["starting_at"], query["ending_at"]
        rows = [row for row in lists[name] if start <= row["starting_at"] < end]
        return {**_numbered_page(rows, query), **lists["refreshed"]}

    def claude_code(query: Query) -> Answer:
        day = query["starting_at"]
        return _numbered_page(
            [row for row in lists["claude_code"] if row["date"][:10] == day], query
        )

    def members(query: Query, workspace: str) -> Answer:
        return _whole(
            [row for row in lists["workspace_members"] if row["workspace_id"] == workspace]
        )

    return {
        "organizations/analytics/(usage|cost)": report,
        "organizations/usage_report/claude_code": claude_code,
        "organizations/me": lambda query: dict(lists["me"]),
        "organizations/workspaces/([^/]+)/members": members,
        "organizations/(users|workspaces|api_keys)": lambda query, name: _whole(lists[name]),
    }


def openai(lists: Lists) -> Mapping[str, Callable[..., Answer]]:
    """Return what the organization API answers, as `anthropic` does."""

    def report(query: Query, name: str) -> Answer:
        start, end = int(query["start_time"]), int(query.get("end_time", sys.maxsize))
        buckets = lists[name.replace("/", "_")]
        return _numbered_page(
            [each for each in buckets if start <= each["start_time"] < end], query
        )

    def audit_logs(query: Query) -> Answer:
        start = int(query.get("effective_at[gte]", 0))
        end = int(query.get("effective_at[lt]", sys.maxsize))
        events = [event for event in lists["audit_logs"] if start <= event["effective_at"] < end]
        return _whole(sorted(events, key=lambda event: -event["effective_at"]))

    return {
        "organization/(usage/[^/]+|costs)": report,
        "organization/audit_logs": audit_logs,
        "organization/projects/([^/]+)/(users|service_accounts|api_keys)": (
            lambda query, project, name: _whole(lists[f"project_{name}"][project])
        ),
        "organization/(users|projects|admin_api_keys)": lambda query, name: _whole(lists[name]),
    }


def litellm(lists: Lists) -> Mapping[str, Callable[..., Answer]]:
    """Return what the gateway answers, as `anthropic` does."""

    def spend_logs(query: Query) -> Answer:
        start, end = (query[name].replace(" ", "T") for name in ("start_date", "end_date"))
        rows = [row for row in lists["spend_logs"] if start <= row["startTime"][:19] <= end]
        rows.sort(key=lambda row: str(row["startTime"]), reverse=True)
        page, size = int(query["page"]), int(query["page_size"])
        return {
            "data": rows[(page - 1) * size : page * size],
            "total": len(rows),
            "page": page,
            "page_size": size,
            "total_pages": -(-len(rows) // size),
        }

    return {"spend/logs/v2": spend_logs}


VENDORS = {
    "anthropic": ("anthropic_admin", "v1/", anthropic),
    "openai": ("openai_admin", "", openai),
    "litellm": ("litellm", "", litellm),
}
"""By folder: the source that asks, what stands before every path, and what is answered."""


def _numbered_page(rows: list[Any], query: Query) -> dict[str, Any]:
    """Return the page of ``rows`` that is asked for, and where the next one is."""
    start, limit = int(query.get("page", 0)), int(query["limit"])
    end = start + limit
    has_more = end < len(rows)
    return {
        "data": rows[start:end],
        "has_more": has_more,
        "next_page": str(end) if has_more else None,
    }


def _whole(rows: list[Any]) -> Answer:
    """Return a list that is short enough for one page."""
    return {"object": "list", "data": rows, "has_more": False, "first_id": None, "last_id": None}


@contextmanager
def serving(out: Path) -> Iterator[dict[str, str]]:
    """Serve what is below ``out``; yield the environment that configures the sources for it."""
    lists = {vendor: Lists(out / "api" / vendor) for vendor in VENDORS}
    routes = [
        (re.compile(f"/{vendor}/{root}{path}"), answer)
        for vendor, (_, root, api) in VENDORS.items()
        for path, answer in api(lists[vendor]).items()
    ]

    def answer_request(handler: BaseHTTPRequestHandler) -> None:
        asked = urlsplit(handler.path)
        for route, answer in routes:
            if match := route.fullmatch(asked.path):
                answered = answer(dict(parse_qsl(asked.query)), *match.groups())
                send(handler, 200, json.dumps(answered).encode())
                return
        send(handler, 404, b"{}")

    first_day = dt.date.fromisoformat(lists["anthropic"]["usage"][0]["starting_at"][:10])
    with answering(answer_request) as address:
        yield _environment(address, first_day)


def _environment(address: str, first: dt.date) -> dict[str, str]:
    days = (dt.datetime.now(dt.UTC).date() - first).days
    settings: dict[str, dict[str, Any]] = {
        # all of its history is what the vendor still corrects, so that it comes in one package
        "anthropic_admin": {
            "history_days": days,
            "correction_days": days,
            "claude_code_correction_days": days,
            "window_days": 31,
            "team_tag": "team",
        },
        "openai_admin": {"start_date": first, "window_days": days + 1},
        "litellm": {"start_date": first},
    }
    return {
        f"CUSTOMERS__{CUSTOMER}__SOURCES__{source}__{name}".upper(): str(value)
        for vendor, (source, _, _) in VENDORS.items()
        for name, value in {
            "base_url": f"{address}/{vendor}",
            "api_key": "of-the-demo",
            **settings[source],
        }.items()
    }


def main() -> int:
    """Run the command line that the module describes; return the command's exit status."""
    if len(sys.argv) < 3:
        print(
            "usage: python -m dlt_pipelines.demo.vendors OUT COMMAND [ARGUMENT ...]",
            file=sys.stderr,
        )
        return 2
    out, *command = sys.argv[1:]
    with serving(Path(out)) as environment:
        try:
            return subprocess.run(  # noqa: S603  what the user typed
                command, env=os.environ | environment, check=False
            ).returncode
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
