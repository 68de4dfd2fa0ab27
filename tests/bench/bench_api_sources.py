"""Whether what a source of an API needs in memory grows with the pages that it reads.

usage: python -m tests.bench.bench_api_sources [--records N] [--source NAME]

Each source is loaded by `mindweave load` in a process of its own, from a server here that makes its
pages up as they are asked for: first N records (default 90,000), then four times as many, over
four times the time where the vendor's report goes by days. Printed are the peak memory of both
loads, what the second needs more, and the requests that were in flight at once.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.vendors.server import Request, Route, VendorServer

GROWTH = 4
GROUPS_A_DAY = 1000
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)

SettingsOf = Callable[[str, int], Mapping[str, str]]


@dataclass(frozen=True)
class Vendor:
    """A source, the routes that answer it with so many records, and its settings."""

    source: str
    what: str
    routes: Callable[[int], Mapping[str, Route]]
    settings: SettingsOf


class CountingServer(VendorServer):
    """Knows how many requests were in flight at once, and forgets what they asked."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        super().__init__(routes)
        self.answered = self.most_at_once = 0
        self._at_once = 0
        self._counts = threading.Lock()

    def _routed(self, request: Request) -> Any:
        with self._counts:
            self._at_once += 1
            self.answered += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return super()._routed(request)
        finally:
            with self._counts:
                self._at_once -= 1
                self.requests.clear()


def main() -> None:
    """Load every source twice and print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=90_000)
    parser.add_argument("--source", choices=sorted({vendor.source for vendor in VENDORS}))
    arguments = parser.parse_args()
    few, many = arguments.records, arguments.records * GROWTH
    print(f"{'':44} {few:>12,} {many:>12,}   more  requests  at once")
    for vendor in VENDORS:
        if arguments.source in (None, vendor.source):
            small, big = loaded(vendor, few), loaded(vendor, many)
            print(
                f"{vendor.source + ', ' + vendor.what:44} {small.peak_mb:9,.0f} MB "
                f"{big.peak_mb:9,.0f} MB {big.peak_mb / small.peak_mb:5.2f}× "
                f"{big.requests:9,} {max(small.at_once, big.at_once):8}",
                flush=True,
            )


@dataclass(frozen=True)
class Figures:
    """What one load took."""

    peak_mb: float
    requests: int
    at_once: int


def loaded(vendor: Vendor, records: int) -> Figures:
    """Load ``records`` and return what it took."""
    server = CountingServer(vendor.routes(records))
    with server.running() as base_url, tempfile.TemporaryDirectory() as home:
        section = f"SOURCES__{vendor.source.upper()}__"
        settings = {
            section + name.upper(): value
            for name, value in vendor.settings(base_url, records).items()
        }
        environment = {**os.environ, "MINDWEAVE_HOME": home, **settings}
        peak_mb = peak_of("load", "--source", vendor.source, environment=environment)
    return Figures(peak_mb, server.answered, server.most_at_once)


def peak_of(*arguments: str, environment: Mapping[str, str]) -> float:
    """Run `mindweave` and return the most memory that its process had, in MB."""
    command = Path(sys.executable).with_name("mindweave")
    process = subprocess.Popen([command, *arguments], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"mindweave {' '.join(arguments)} failed: {process.returncode}")
    return usage.ru_maxrss / 1024


# the vendors


def activity_feed(records: int) -> Mapping[str, Route]:
    """Answer with activities, newest first; the number is the id."""

    def activities(request: Request) -> Any:
        limit = int(request.one("limit") or 100)
        start = int(request.one("after_id") or -1) + 1
        end = min(start + limit, records)
        if request.one("before_id"):
            start = end = 0
        data = [
            {
                "id": str(number),
                "created_at": (TODAY - timedelta(seconds=number)).isoformat(),
                "organization_id": "org_1",
                "actor": {"type": "user_actor", "email_address": f"user{number % 800}@example.org"},
                "type": "mcp_tool_policy_updated",
                "mcp_server_id": f"mcpsrv_{number % 50}",
                "mcp_server_name": "Ticket Desk",
                "tool_name": f"tool_{number % 700}",
                "max_permission": "blocked",
            }
            for number in range(start, end)
        ]
        return {
            "data": data,
            "has_more": 0 < end < records,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
        }

    return {"/v1/compliance/activities": activities}


def registry(records: int) -> Mapping[str, Route]:
    """Answer with ten versions a server; the cursor is the number of the next one."""

    def servers(request: Request) -> Any:
        start = int(request.one("cursor") or 0)
        end = min(start + int(request.one("limit") or 30), records)
        times = {name: TODAY.isoformat() for name in ("publishedAt", "updatedAt")}
        entries = [
            {
                "server": {
                    "name": f"io.github.acme/server-{number // 10}",
                    "description": "Read and update support tickets",
                    "version": f"1.{number % 10}.0",
                    "repository": {"url": f"https://github.com/acme/{number}", "source": "github"},
                    "packages": [
                        {
                            "registryType": "npm",
                            "identifier": f"@acme/server-{number // 10}",
                            "version": f"1.{number % 10}.0",
                            "transport": {"type": "stdio"},
                        }
                    ],
                },
                "_meta": {
                    "io.modelcontextprotocol.registry/official": {
                        "status": "active",
                        "isLatest": number % 10 == 9,
                        **times,
                    }
                },
            }
            for number in range(start, end)
        ]
        return {"servers": entries, "metadata": {"nextCursor": str(end) if end < records else None}}

    return {"/v0.1/servers": servers}


def audit_logs(records: int) -> Mapping[str, Route]:
    """Answer with as many events every day of the last 80, newest first; the number is the id."""
    apart = 80 * 86_400 / records
    newest = TODAY.timestamp()

    def events(request: Request) -> Any:
        since = float(request.one("effective_at[gte]") or 0)
        until = float(request.one("effective_at[lt]") or newest + 1)
        first = max(0, int((newest - until) / apart) + 1)
        last = min(records, int((newest - since) / apart) + 1)
        start = int(request.one("after") or first - 1) + 1
        end = min(start + int(request.one("limit") or 20), last)
        data = [
            {
                "id": str(number),
                "type": "api_key.created",
                "effective_at": int(newest - number * apart),
                "actor": {
                    "type": "session",
                    "session": {"user": {"id": f"user-{number % 800}", "email": "a@example.org"}},
                },
                "api_key.created": {"id": f"key_{number}", "data": {"scopes": ["all"]}},
            }
            for number in range(start, end)
        ]
        return {"data": data, "has_more": end < last, "last_id": data[-1]["id"] if data else None}

    return {"/v1/organization/audit_logs": events}


def spend_logs(records: int) -> Mapping[str, Route]:
    """Answer with one call a second."""
    begins = TODAY.replace(tzinfo=None) - timedelta(seconds=records)

    def second(request: Request, name: str) -> float:
        time = datetime.fromisoformat(request.one(name) or "")
        return (time - begins).total_seconds()

    def rows(request: Request) -> Any:
        first = max(0, int(second(request, "start_date")))
        last = min(records, int(second(request, "end_date")) + 1)
        total, size = max(0, last - first), int(request.one("page_size") or 50)
        start = first + (int(request.one("page") or 1) - 1) * size
        data = [
            {
                "request_id": f"msg_{number}",
                "call_type": "anthropic_messages",
                "api_key": f"{number % 500:064x}",
                "spend": 0.062605,
                "total_tokens": 36193,
                "prompt_tokens": 36006,
                "completion_tokens": 187,
                "startTime": (begins + timedelta(seconds=number)).isoformat(),
                "endTime": (begins + timedelta(seconds=number + 3)).isoformat(),
                "model": "claude-opus-5",
                "custom_llm_provider": "anthropic",
                "user": f"user-{number % 800}",
                "team_id": f"team-{number % 40}",
                "session_id": f"session-{number // 40}",
                "status": "success",
                "metadata": {
                    "usage_object": {"cache_read_input_tokens": 31800},
                    "user_api_key_user_email": f"user{number % 800}@example.org",
                },
                "updated_at": (begins + timedelta(seconds=number + 12)).isoformat(),
            }
            for number in range(start, min(start + size, last))
        ]
        return {"data": data, "total": total, "total_pages": -(-total // size)}

    return {"/spend/logs/v2": rows}


def usage_report(groups: Callable[[int], int], days: Callable[[int], int]) -> Any:
    """Return a report with so many groups in each of so many days."""

    def routes(records: int) -> Mapping[str, Route]:
        begins = TODAY - DAY * days(records)

        def rows(start: datetime, end: datetime) -> Iterator[tuple[datetime, int]]:
            while start < end:
                if begins <= start < TODAY:
                    yield from ((start, number) for number in range(groups(records)))
                start += DAY

        def usage(request: Request) -> Any:
            start, end = (
                datetime.fromisoformat(request.one(name) or "")
                for name in ("starting_at", "ending_at")
            )
            limit, page = int(request.one("limit") or 20), int(request.one("page") or 0)
            found = list(rows(start, end))
            data = [
                {
                    "starting_at": at.isoformat(),
                    "ending_at": (at + DAY).isoformat(),
                    "group": {
                        "workspace_id": f"wrkspc_{number}",
                        "model": "claude-opus-5",
                        "service_tier": "standard",
                    },
                    "usage": {
                        "uncached_input_tokens": 1200000,
                        "cache_creation": {
                            "ephemeral_5m_input_tokens": 400000,
                            "ephemeral_1h_input_tokens": 100000,
                        },
                        "cache_read_input_tokens": 9000000,
                        "output_tokens": 210000 + number,
                        "server_tool_use": {"web_search_requests": 12},
                        "requests": 410,
                        "total_tokens": 10910000 + number,
                    },
                }
                for at, number in found[page * limit : (page + 1) * limit]
            ]
            more = (page + 1) * limit < len(found)
            return {
                "data": data,
                "has_more": more,
                "next_page": str(page + 1) if more else None,
                "data_refreshed_at": TODAY.isoformat(),
            }

        return {"/v1/organizations/analytics/usage": usage}

    return routes


def usage_settings(days: Callable[[int], int]) -> SettingsOf:
    """Return the settings that read a report of so many days."""
    return lambda base_url, records: {
        "base_url": base_url,
        "api_key": "any",
        "organization_id": "org_1",
        "reads": '["usage"]',
        "history_days": str(days(records)),
    }


VENDORS = (
    Vendor(
        "anthropic_compliance",
        "activity feed",
        activity_feed,
        lambda base_url, records: {"base_url": base_url, "api_key": "any"},
    ),
    Vendor(
        "mcp_registry",
        "servers",
        lambda records: registry(records // 10),
        lambda base_url, records: {"registries": f'[{{base_url = "{base_url}"}}]'},
    ),
    Vendor(
        "openai_admin",
        "audit logs",
        audit_logs,
        lambda base_url, records: {
            "base_url": f"{base_url}/v1",
            "api_key": "any",
            "usage_reports": "[]",
            "costs": "false",
            "identities": "false",
        },
    ),
    Vendor(
        "anthropic_admin",
        "usage of more days",
        usage_report(lambda records: GROUPS_A_DAY, lambda records: records // GROUPS_A_DAY),
        usage_settings(lambda records: records // GROUPS_A_DAY),
    ),
    Vendor(
        "anthropic_admin",
        "more usage a day",
        usage_report(lambda records: records // 90, lambda records: 90),
        usage_settings(lambda records: 90),
    ),
    Vendor(
        "litellm",
        "spend logs by the API",
        spend_logs,
        lambda base_url, records: {
            "base_url": base_url,
            "api_key": "any",
            "start_date": (TODAY - timedelta(seconds=records)).isoformat(),
        },
    ),
)


if __name__ == "__main__":
    main()
