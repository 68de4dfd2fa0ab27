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
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # a command that was interrupted hangs up
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(out: Path) -> Iterator[dict[str, str]]:
    """Serve what is below ``out``; yield the environment that configures the sources for it."""
    routes = [
        (re.compile(f"/{vendor}/{root}{path}"), answer)
        for vendor, (_, root, api) in VENDORS.items()
        for path, answer in api(Lists(out / "api" / vendor)).items()
    ]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            matches = ((route.fullmatch(asked.path), answer) for route, answer in routes)
            found = next(((match, answer) for match, answer in matches if match), None)
            status, body = 404, b"{}"
            if found:
                match, answer = found
                status, body = (
                    200,
                    json.dumps(answer(dict(parse_qsl(asked.query)), *match.groups())).encode(),
                )
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield _environment(out, f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()


def _environment(out: Path, address: str) -> dict[str, str]:
    first = dt.date.fromisoformat(Lists(out / "api" / "anthropic")["usage"][0]["starting_at"][:10])
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
