"""How many events a second the intake takes, and what holds it back.

usage: python tests/bench/bench_intake.py [--seconds N] [--batch N] [--rate N] [--profile]

The server is `mindweave serve` with its default store; the client is this process, which speaks
plain HTTP over raw sockets so that it takes as little of the two cores as it can. First batches at
a fixed rate: a batch's time counts from when it was due, so that a server that stalls pays for all
that had to wait. Then single events, each connection as fast as it is answered.
"""

import argparse
import asyncio
import json
import math
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dlt_pipelines.sources.events.schema import CALL
from tests.intake import BATCH, STRUCTURED, Intake, event, serving

AIM = 10_000
AIM_P99_MS = 100
CONNECTIONS = 16


class Connection:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take over an open connection."""
        self._reader = reader
        self._writer = writer

    async def post(self, request: bytes) -> int:
        """Send a request and return the status of its answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if int(length or 0):
            await self._reader.readexactly(int(length))
        return int(head[9:12])

    def close(self) -> None:
        """Close it."""
        self._writer.close()


async def connected(intake: Intake, count: int) -> list[Connection]:
    """Return open connections to the server."""
    host, port = intake.address.removeprefix("http://").split(":")
    return [Connection(*await asyncio.open_connection(host, int(port))) for _ in range(count)]


def as_request(token: str, content_type: str, body: bytes) -> bytes:
    """Return a whole request."""
    return (
        f"POST /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def call(number: int) -> dict[str, object]:
    """Return an event as a gateway would send it."""
    data = {
        "call_id": f"call-{number:012d}",
        "timestamp": "2026-08-03T10:15:04.112Z",
        "vendor": "anthropic",
        "model_id": "claude-opus-5",
        "message_id": f"msg_{number:024d}",
        "session_id": f"session-{number // 200}",
        "mcp_name": "ticketdesk",
        "tool_name": "get_ticket",
        "user_id": f"dana{number % 500}@example.com",
        "team_id": "payments",
        "input_tokens": number % 5000,
        "cache_read_tokens": 31800,
        "output_tokens": 187,
        "latency_ms": 2841,
        "cost": 0.062605,
        "status": "success",
    }
    attributes = {"type": CALL, "time": "2026-08-03T10:15:04.112Z", "subject": "ticketdesk"}
    return event(number, data, **attributes)


async def sustained(intake: Intake, token: str, seconds: float, batch: int, rate: int) -> bool:
    """Send batches at a rate, print how long that took; say whether the aims are met."""
    connections = asyncio.Queue[Connection]()
    for connection in await connected(intake, CONNECTIONS):
        connections.put_nowait(connection)
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    encoder = json.JSONEncoder(separators=(",", ":"))
    # a few hundred different batches, made before the clock starts
    bodies = [
        as_request(
            token,
            BATCH,
            encoder.encode([call(first + n) for n in range(batch)]).encode(),
        )
        for first in range(0, 200 * batch, batch)
    ]

    async def send(due: float, request: bytes) -> None:
        connection = await connections.get()
        status = await connection.post(request)
        latencies.append(time.perf_counter() - due)
        statuses[status] = statuses.get(status, 0) + 1
        connections.put_nowait(connection)

    started, cpu = time.perf_counter(), cpu_seconds(intake.process.pid)
    tasks = set()
    for number in range(math.ceil(seconds * rate / batch)):
        due = started + number * batch / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(send(due, bodies[number % len(bodies)]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    took = time.perf_counter() - started
    used = (cpu_seconds(intake.process.pid) - cpu) / len(latencies) / batch
    assert set(statuses) == {202}, statuses
    latencies.sort()
    print(f"\nbatches of {batch}, {rate:,} events a second asked for, {seconds:.0f} s")
    reached = len(latencies) * batch / took
    p99 = latencies[int(len(latencies) * 0.99)] * 1000
    print(
        f"  events a second        {reached:9,.0f}  (aim {AIM:,}: {verdict(reached >= AIM * 0.99)})"
    )
    print(f"  acknowledged, p50      {latencies[len(latencies) // 2] * 1000:9.1f} ms")
    print(
        f"  acknowledged, p99      {p99:9.1f} ms  (aim {AIM_P99_MS}: {verdict(p99 < AIM_P99_MS)})"
    )
    print(f"  acknowledged, worst    {latencies[-1] * 1000:9.1f} ms")
    print(f"  the server's CPU       {used * 1e6:9.1f} µs an event")
    return reached >= AIM * 0.99 and p99 < AIM_P99_MS


async def single(intake: Intake, token: str, seconds: float, count: int) -> None:
    """Send one event a request as fast as answers come, and print the rate."""
    written = json.dumps(call(7)).replace("call-000000000007", "call-%012d").encode()
    latencies: list[float] = []
    cpu = cpu_seconds(intake.process.pid)
    until = time.perf_counter() + seconds

    async def send(connection: Connection, numbers: Iterator[int]) -> None:
        while (begun := time.perf_counter()) < until:
            body = written % next(numbers)
            assert await connection.post(as_request(token, STRUCTURED, body)) == 202
            latencies.append(time.perf_counter() - begun)

    numbers = iter(range(10**9))
    await asyncio.gather(*(send(found, numbers) for found in await connected(intake, count)))
    used = (cpu_seconds(intake.process.pid) - cpu) / len(latencies)
    latencies.sort()
    print(f"\nsingle events, {count} connections, {seconds:.0f} s")
    print(f"  events a second        {len(latencies) / seconds:9,.0f}")
    print(f"  acknowledged, p50      {latencies[len(latencies) // 2] * 1000:9.1f} ms")
    print(f"  acknowledged, p99      {latencies[int(len(latencies) * 0.99)] * 1000:9.1f} ms")
    print(f"  the server's CPU       {used * 1e6:9.1f} µs an event")


def verdict(is_met: bool) -> str:
    """Say whether a figure is what it should be."""
    return "met" if is_met else "missed"


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def profile(batch: int, rate: int) -> None:
    """Print where the server's time goes, with the standard library's profiler on its main thread.

    It makes the server slower: what counts is what stands above what.
    """
    for title, load in (
        ("batches", lambda intake, token: sustained(intake, token, 5, batch, rate // 4)),
        ("single events", lambda intake, token: single(intake, token, 5, 16)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            found = Path(folder, "profile")
            under = [sys.executable, "-m", "cProfile", "-o", found]
            with serving(Path(folder), "--rate", 1_000_000, under=under) as intake:
                asyncio.run(load(intake, intake.token()))
                intake.stop()
            print(f"\nprofile of {title}")
            pstats.Stats(str(found)).strip_dirs().sort_stats("tottime").print_stats(30)


def main() -> None:
    """Start the server, send, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rate", type=int, default=AIM)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), "--rate", 1_000_000) as intake,
    ):
        token = intake.token()
        asyncio.run(sustained(intake, token, 1, arguments.batch, arguments.rate))  # warm
        first = memory_mb(intake.process.pid)
        is_met = asyncio.run(
            sustained(intake, token, arguments.seconds, arguments.batch, arguments.rate)
        )
        then = memory_mb(intake.process.pid)
        print(f"  memory                 {first:9,.0f} MB, then {then:,.0f} MB")
        asyncio.run(single(intake, token, min(arguments.seconds, 10), 64))
        print(f"  memory at the end      {memory_mb(intake.process.pid):9,.0f} MB")
    if arguments.profile or not is_met:
        profile(arguments.batch, arguments.rate)


if __name__ == "__main__":
    main()
