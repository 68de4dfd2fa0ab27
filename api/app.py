"""The intake: events come in by HTTP, and are answered once they would outlive a crash.

POST /events      CloudEvents 1.0: structured, binary, batched; OPTIONS is the webhook's handshake
POST /v1/<signal> OTLP/HTTP: logs, traces, metrics, in JSON or protobuf
GET  /health, /metrics, /openapi.json

A token says whose log a request is for; nothing in a request can name another one.
"""

import asyncio
import logging
import math
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from fastapi import FastAPI
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api import openapi, otlp
from api.answers import JSON, RefusedRequestError, answer, busy, refusal
from api.bodies import read_body
from api.group_commit import GroupCommit, NotKeptError
from api.metrics import Metrics
from dlt_pipelines import cloud_events
from dlt_pipelines.cloud_events import (
    BATCH_TYPE,
    STRUCTURED_TYPE,
    ReceivedEvent,
    TooManyError,
    UnreadableError,
)
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.event_gate import EventGate, RefusedError
from dlt_pipelines.event_store import DeadLetter, EventStore
from dlt_pipelines.otlp import Signal

LOG = logging.getLogger("mindweave.intake")
NO_EVENT = RefusedError("the item is no JSON object with an event")
EVENTS_IN_A_ROW = 100  # judged before other requests have their turn
LARGE_BYTES = 256 * 2**10  # read in a thread, so that other requests have their turn
LARGE_AT_ONCE = 2
NO_STORE = {"Cache-Control": "no-store"}

Handler = Callable[[Request], Awaitable[Response]]
Read = TypeVar("Read")


class Tokens(Protocol):
    """Whose token it is."""

    def customer_of(self, token: str) -> str | None:
        """Return the customer, None where the token is unknown or revoked."""


@dataclass(frozen=True)
class Limits:
    """How much may come."""

    body_bytes: int = 16 * 2**20
    """Of one request, as sent and as unzipped."""
    batch_events: int = 10_000
    held_bytes: int = 256 * 2**20
    """Of all requests that are not answered yet."""
    requests_per_second: int = 1_000
    """Of one token."""


@dataclass(frozen=True)
class Intake:
    """Where the events of one customer go."""

    customer: str
    gate: EventGate
    log: GroupCommit


@dataclass
class Server:
    """What all requests share."""

    tokens: Tokens
    open_store: Callable[[str], EventStore]
    open_gate: Callable[[str], EventGate]
    limits: Limits
    metrics: Metrics = field(default_factory=Metrics)
    intakes: dict[str, Intake] = field(default_factory=dict)
    held_bytes: int = 0

    def __post_init__(self) -> None:
        """Start counting requests."""
        self._rate = RateLimitItemPerSecond(self.limits.requests_per_second)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self.metrics.held_bytes.set_function(lambda: self.held_bytes)

    def intake_of(self, request: Request) -> Intake:
        """Return the intake that the request's token is for.

        Raises RefusedRequestError: 401 without a token that counts, 429 over the rate.
        """
        token = _token(request)
        try:
            customer = self.tokens.customer_of(token) if token else None
        except MindweaveError as error:
            LOG.error("tokens cannot be read: %s", error)
            raise busy("tokens cannot be read now") from None
        if not token or customer is None:
            raise RefusedRequestError(
                401,
                "no token that counts: send one that `mindweave tokens create` printed",
                {"WWW-Authenticate": "Bearer"},
            )
        if not self._limiter.hit(self._rate, token):
            reset = self._limiter.get_window_stats(self._rate, token).reset_time
            raise RefusedRequestError(
                429,
                f"more than {self.limits.requests_per_second} requests a second",
                {"Retry-After": str(max(1, math.ceil(reset - time.time())))},
            )
        if customer not in self.intakes:
            try:
                gate = self.open_gate(customer)
            except (MindweaveError, OSError) as error:
                reason = str(error) if isinstance(error, MindweaveError) else type(error).__name__
                LOG.error("events of %s are not taken: %s", customer, reason)
                raise busy("this customer's events cannot be taken now") from None
            log = GroupCommit(lambda: self.open_store(customer), self.metrics, customer)
            self.intakes[customer] = Intake(customer, gate, log)
        return self.intakes[customer]

    async def body_of(self, request: Request) -> bytes:
        """Return the request's body, and hold its bytes until the request is answered."""

        def hold(size: int) -> None:
            if self.held_bytes + size > self.limits.held_bytes:
                raise busy("more is waiting than fits in memory")
            self.held_bytes += size
            request.state.held_bytes += size

        request.state.held_bytes = 0
        return await read_body(request, self.limits.body_bytes, hold)

    def _turn(self, body: bytes) -> AbstractAsyncContextManager[object]:
        """Let large bodies wait for each other: parsed they may take thirty times their bytes."""
        return self._large if len(body) >= LARGE_BYTES else nullcontext()

    def answered(self, path: str, handler: Handler) -> Handler:
        """Wrap a handler so that every request is answered, counted and let go."""

        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except RefusedRequestError as error:
                response = refusal(error)
            except NotKeptError:
                response = refusal(busy("it could not be kept: send it again"))
            except ClientDisconnect:
                response = Response(status_code=400)  # nobody is there to read it
            except Exception as error:
                LOG.error("unexpected %s at %s", type(error).__name__, _place(error))
                response = answer(500, {"error": "unexpected; the server's log says where"})
            finally:
                self.held_bytes -= getattr(request.state, "held_bytes", 0)
            if "access_token" in request.query_params:
                response.headers.update(NO_STORE)
            self.metrics.request(path, response.status_code)
            return response

        return handle

    async def take_events(self, request: Request) -> Response:
        """Take one event or a batch."""
        intake = self.intake_of(request)
        body = await self.body_of(request)
        async with self._turn(body):
            return await self._take(intake, request, body)

    async def _take(self, intake: Intake, request: Request, body: bytes) -> Response:
        content_type = _media_type(request)
        if content_type == BATCH_TYPE:
            most = self.limits.batch_events
            events = await _off_the_loop(body, cloud_events.FORMAT.read_batch, body, most)
            return await self._take_batch(intake, events, body)
        if content_type.startswith("application/cloudevents") and content_type != STRUCTURED_TYPE:
            raise RefusedRequestError(415, f"neither {STRUCTURED_TYPE} nor {BATCH_TYPE}")
        if content_type == STRUCTURED_TYPE:
            event = await _off_the_loop(body, cloud_events.from_structured, body)
        else:
            event = cloud_events.from_binary(_event_headers(request), body)
        return await self._take_one(intake, event, body)

    async def _take_one(self, intake: Intake, event: ReceivedEvent, body: bytes) -> Response:
        try:
            line = await _off_the_loop(body, intake.gate.admit, event)
        except RefusedError as error:
            letter = intake.gate.letter(event, str(error), _now())
            if letter:
                await intake.log.keep("events", (), [letter])
            self.metrics.events(intake.customer, 0, 1)
            raise RefusedRequestError(400, str(error)) from None
        await intake.log.keep("events", [line])
        self.metrics.events(intake.customer, 1, 0)
        return Response(status_code=202)

    async def _take_batch(
        self, intake: Intake, events: Sequence[ReceivedEvent | None], body: bytes
    ) -> Response:
        lines: list[bytes] = []
        letters: list[DeadLetter] = []
        refused: list[dict[str, Any]] = []
        for start in range(0, len(events), EVENTS_IN_A_ROW):
            if start:
                await asyncio.sleep(0)
            row = events[start : start + EVENTS_IN_A_ROW]
            told = [event for event in row if event is not None]
            admitted = iter(await _off_the_loop(body, intake.gate.admit_all, told))
            for index, event in enumerate(row, start):
                judged = next(admitted) if event is not None else NO_EVENT
                if not isinstance(judged, RefusedError):
                    lines.append(judged)
                    continue
                name = event.written.get("id") if event else None
                refused.append(
                    {
                        "index": index,
                        "id": name if isinstance(name, str) else None,
                        "reason": str(judged),
                    }
                )
                letter = event and intake.gate.letter(event, str(judged), _now())
                if letter:
                    letters.append(letter)
        if lines or letters:
            await intake.log.keep("events", lines, letters)
        self.metrics.events(intake.customer, len(lines), len(refused))
        status = 202 if lines or not events else 400
        return answer(status, {"accepted": len(lines), "refused": refused})

    async def agree(self, request: Request) -> Response:
        """Answer a webhook's handshake: whoever has a token may send, from anywhere."""
        origin = request.headers.get("webhook-request-origin", "").strip()
        allow = {"Allow": "POST, OPTIONS"}
        if not origin:
            raise RefusedRequestError(400, "no header WebHook-Request-Origin", allow)
        agreed = {**allow, "WebHook-Allowed-Origin": origin}
        rate = request.headers.get("webhook-request-rate")
        if rate is not None:
            if not (rate.isascii() and rate.isdigit() and len(rate) < 10 and int(rate)):
                raise RefusedRequestError(400, "WebHook-Request-Rate is no number above 0", allow)
            agreed["WebHook-Allowed-Rate"] = str(
                min(int(rate), self.limits.requests_per_second * 60)
            )
        return Response(headers=agreed)

    def take_export(self, signal: Signal) -> Handler:
        """Return the handler of one signal's export requests."""

        async def take(request: Request) -> Response:
            intake = self.intake_of(request)
            content_type = _media_type(request)
            body = await self.body_of(request)
            line = await _off_the_loop(body, otlp.one_line, signal, content_type, body)
            if line is not None:
                await intake.log.keep(signal, [line])
                self.metrics.export(intake.customer, signal)
            # an export response that says that all went well: in protobuf no bytes at all
            content = b"{}" if content_type == JSON else b""
            return Response(content, media_type=content_type)

        return take

    async def tell_health(self, request: Request) -> Response:
        """Say whether what came last could be kept."""
        failing = any(intake.log.is_failing for intake in self.intakes.values())
        return answer(503 if failing else 200, {"status": "failing" if failing else "ok"})

    async def tell_metrics(self, request: Request) -> Response:
        """Return the numbers for Prometheus."""
        return Response(self.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def close(self) -> None:
        """Write what was taken, then let go of every store."""
        for intake in self.intakes.values():
            await asyncio.to_thread(intake.log.close)


def create_app(
    tokens: Tokens,
    open_store: Callable[[str], EventStore],
    open_gate: Callable[[str], EventGate],
    limits: Limits | None = None,
) -> FastAPI:
    """Return the intake. ``open_store`` and ``open_gate`` are asked by the customer's slug."""
    server = Server(tokens, open_store, open_gate, limits or Limits())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await server.close()

    # the pages that show the document load scripts from elsewhere
    app = FastAPI(docs_url=None, redoc_url=None, lifespan=lifespan)
    routes: list[tuple[str, str, Handler]] = [
        ("POST", "/events", server.take_events),
        ("OPTIONS", "/events", server.agree),
        *(("POST", f"/v1/{signal}", server.take_export(signal)) for signal in otlp.REQUESTS),
        ("GET", "/health", server.tell_health),
        ("GET", "/metrics", server.tell_metrics),
    ]
    for method, path, handler in routes:
        app.add_route(path, server.answered(path, handler), [method], include_in_schema=False)
    app.exception_handler(HTTPException)(_plain)
    app.openapi = lambda: openapi.document(server.limits)  # type: ignore[method-assign]
    return app


async def _plain(request: Request, error: HTTPException) -> Response:
    return answer(error.status_code, {"error": error.detail}, error.headers)


async def _off_the_loop(body: bytes, read: Callable[..., Read], *arguments: Any) -> Read:
    """Return what a call makes of a body, or of a part of it: in a thread where it is large."""
    try:
        if len(body) < LARGE_BYTES:
            return read(*arguments)
        return await asyncio.to_thread(read, *arguments)
    except UnreadableError as error:
        raise RefusedRequestError(400, str(error)) from None
    except TooManyError as error:
        raise RefusedRequestError(413, str(error)) from None


def _token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.query_params.get("access_token")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _event_headers(request: Request) -> dict[str, str]:
    """Return what the binary mode reads, by names in lower case."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        if name == "content-type" or name.startswith("ce-"):
            if name in headers:
                raise RefusedRequestError(400, "a header of the event comes twice")
            headers[name] = value
    if not any(name.startswith("ce-") for name in headers):
        raise RefusedRequestError(
            400,
            f"no event: send {STRUCTURED_TYPE}, {BATCH_TYPE}, or its attributes as ce- headers",
        )
    return headers


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"
