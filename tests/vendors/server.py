"""The frame of the vendors' servers: real HTTP on a free port, answers by route, faults by script.

A route is a function of the request; it raises `RefusalError` for what the vendor would refuse::

    server = VendorServer({"/v1/things": list_things})
    with server.running() as base_url:
        server.fail_next("/v1/things", status=429, headers={"Retry-After": "1"})
"""

import json
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from dlt_pipelines.demo.loopback import answering, send


@dataclass(frozen=True)
class Request:
    """What was asked: query parameters by name, each with all its values."""

    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    groups: tuple[str, ...] = ()
    """The parts of the path that stand where the route has ``*``."""

    def one(self, name: str, default: str | None = None) -> str | None:
        values = self.query.get(name)
        return values[-1] if values else default

    def many(self, name: str) -> list[str]:
        return self.query.get(f"{name}[]", []) or self.query.get(name, [])


class RefusalError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message}}


Route = Callable[[Request], Any]


@dataclass(frozen=True)
class _Fault:
    kind: str
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)


class VendorServer:
    """Routes by path; ``*`` in a path stands for one part of it. A number keeps its digits."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes
        self._faults: dict[str, deque[_Fault]] = defaultdict(deque)
        self._last_body: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._held_after: dict[str, int] = {}
        self._released = threading.Event()
        self.requests: list[Request] = []
        self.base_url = ""

    def fail_next(
        self, path: str, status: int = 500, times: int = 1, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer the next requests of ``path`` with an error."""
        self._faults[path].extend([_Fault("status", status, headers or {})] * times)

    def truncate_next(self, path: str, times: int = 1) -> None:
        """Answer with half the JSON."""
        self._faults[path].extend([_Fault("truncate")] * times)

    def drop_next(self, path: str, times: int = 1) -> None:
        """Close the connection in the middle of the answer."""
        self._faults[path].extend([_Fault("drop")] * times)

    def html_next(self, path: str, times: int = 1) -> None:
        """Answer with a page for people."""
        self._faults[path].extend([_Fault("html")] * times)

    def hold_after(self, path: str, answers: int) -> None:
        """Answer ``path`` so often, then keep who asks waiting until `release`."""
        self._held_after[path] = len(self.asked(path)) + answers
        self._released.clear()

    def release(self) -> None:
        """Let go of who waits."""
        self._held_after.clear()
        self._released.set()

    def repeat_next(self, path: str, times: int = 1) -> None:
        """Answer with what the last request of ``path`` was answered with."""
        self._faults[path].extend([_Fault("repeat")] * times)

    def asked(self, path: str) -> list[Request]:
        """Return the requests of one path."""
        return [request for request in self.requests if request.path == path]

    @contextmanager
    def running(self) -> Iterator[str]:
        """Serve on 127.0.0.1 and yield the base URL."""
        with answering(self._answer) as self.base_url:
            yield self.base_url

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        request = Request(
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in handler.headers.items()},
        )
        with self._lock:
            self.requests.append(request)
            faults = self._faults[parts.path]
            fault = faults.popleft() if faults else None
            is_held = len(self.asked(parts.path)) > self._held_after.get(parts.path, sys.maxsize)
        if is_held:
            self._released.wait(300)
        if fault and fault.kind == "status":
            send(handler, fault.status, _json({"error": {"message": "try again"}}), fault.headers)
            return
        if fault and fault.kind == "html":
            send(handler, 200, b"<html><body>Log in</body></html>", kind="text/html")
            return
        if fault and fault.kind == "repeat" and parts.path in self._last_body:
            send(handler, 200, self._last_body[parts.path])
            return
        try:
            status, body = 200, _json(self._routed(request))
        except RefusalError as refusal:
            status, body = refusal.status, _json(refusal.body)
        if fault and fault.kind == "truncate":
            body = body[: len(body) // 2]
        if fault and fault.kind == "drop":
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[: len(body) // 2])
            handler.close_connection = True
            return
        if status == 200:
            self._last_body[parts.path] = body
        send(handler, status, body)

    def _routed(self, request: Request) -> Any:
        asked = request.path.split("/")
        for path, route in self._routes.items():
            parts = path.split("/")
            if len(parts) == len(asked) and all(
                part in ("*", given) for part, given in zip(parts, asked, strict=True)
            ):
                groups = tuple(
                    unquote(given) for part, given in zip(parts, asked, strict=True) if part == "*"
                )
                return route(Request(request.path, request.query, request.headers, groups))
        raise RefusalError(404, f"no such path: {request.path}", "not_found_error")


def page_of(items: Sequence[Any], start: int, limit: int) -> tuple[list[Any], int | None]:
    """Return up to ``limit`` items from ``start``, and where the next page begins."""
    end = start + limit
    return list(items[start:end]), end if end < len(items) else None


def _json(value: Any) -> bytes:
    return _with_exact_numbers(value).encode()


def _with_exact_numbers(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        members = (f"{json.dumps(k)}: {_with_exact_numbers(v)}" for k, v in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_with_exact_numbers(item) for item in value) + "]"
    return json.dumps(value)
