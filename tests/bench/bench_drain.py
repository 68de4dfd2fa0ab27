"""How long events take from a SQLite store to a DuckDB warehouse, and what holds it back.

usage: python tests/bench/bench_drain.py [--events N] [--a-request N] [--runs N]

Each figure is the median of whole processes' drains, without imports, which a run pays once.
CPU seconds stand beside the clock's, as the machine may have other work; the aim is for two idle
cores. Memory is flat where a quarter of the events takes as much. The stages are those of
the same processes, in CPU seconds of all threads; what is discarded while the next package loads
counts with both. What holds it back is said last: bare DuckDB, which reads the same lines and
writes the same two tables, without hashes, exact amounts, quarantine, dlt and a store to empty.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

AIM = 200_000
RECEIVED_AT = datetime(2026, 8, 3, 10, 16)

DRAIN = """
import json, resource, sys, time
from pathlib import Path
import dlt, dlt.sources.helpers.requests, sqlalchemy
from dlt_pipelines import drain
from dlt_pipelines.config import Settings
home = Path(sys.argv[1])
settings = Settings(home, str(home / "mindweave.duckdb"), "local")
spent = {}
def timed(name, thing, method):
    inner = getattr(thing, method)
    def outer(*arguments):
        started = time.process_time()
        try:
            return inner(*arguments)
        finally:
            spent[name] = spent.get(name, 0) + time.process_time() - started
    setattr(thing, method, outer)
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt_pipelines.event_store.sqlite_store import SqliteStore
from dlt_pipelines.line_source import Landing
timed("reading", SqliteStore, "read")
timed("columns", drain, "_columns")
timed("parsing", Landing, "table")
timed("files", Landing, "gather")
timed("dlt", drain.Job, "load")
timed("warehouse", DuckDbCopyJob, "run")
timed("discarding", SqliteStore, "discard")
started, cpu = time.monotonic(), time.process_time()
[result] = drain.drain(settings).results
spent["dlt"] -= spent["warehouse"]
print(json.dumps({
    "rows": result.counts.rows_loaded,
    "seconds": time.monotonic() - started,
    "cpu": time.process_time() - cpu,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    **spent,
}))
"""

STAGES = {
    "reading": "the store",
    "columns": "bodies to Arrow",
    "parsing": "lines to rows",
    "files": "rows to Parquet",
    "dlt": "dlt itself",
    "warehouse": "Parquet to DuckDB",
    "discarding": "emptying the store",
}

BARE = """
import json, sys, time
import duckdb
from dlt_pipelines.sources.events.transform import EVENT
lines, path = sys.argv[1:]
event = json.loads(EVENT)
columns = {name: "JSON" if name == "data" else "VARCHAR" for name in event}
started = time.process_time()
with duckdb.connect(path) as connection:
    connection.execute("set preserve_insertion_order = false")
    connection.execute(
        "create table events as select * from "
        f"read_json('{lines}', format = 'newline_delimited', columns = {columns})"
    )
    connection.execute(
        "create table calls as select * exclude (data, call), unnest(call) from "
        f"(select *, from_json(data, '{json.dumps(event['data'])}') as call from events)"
    )
print(time.process_time() - started)
"""


def main() -> None:
    """Fill stores, drain them, say where the time went."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--a-request", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for events in (arguments.events // 4, arguments.events):
            filled = Path(folder, "filled")
            size = fill(filled, events, arguments.a_request)
            found = [drain(filled, Path(folder, "home"), events) for _ in range(arguments.runs)]
            shutil.rmtree(filled)
            middle = {name: statistics.median(run[name] for run in found) for name in found[0]}
            rate = events / middle["seconds"]
            print(
                f"\n{events:,} events, {arguments.a_request} a request, {size / 1e6:,.0f} MB, "
                f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
            )
            print(
                f"  store to warehouse     {middle['seconds']:7.2f} s  {middle['cpu']:7.2f} s CPU"
            )
            for name, what in STAGES.items():
                print(f"  of it, {what:19s}           {middle[name]:7.2f} s CPU")
            print(f"  events a second        {rate:9,.0f}  (aim {AIM:,}: {verdict(rate)})")
            both = 2 * events / middle["cpu"]
            print(
                f"  two cores to itself    {both:9,.0f}  at most, by the CPU time: {verdict(both)}"
            )
            print(f"  peak memory            {middle['peak']:9,.0f} MB")
            print(f"  bare DuckDB                      {bare(Path(folder), events):7.2f} s CPU")


def verdict(rate: float) -> str:
    """Say whether a rate is what it should be."""
    return "met" if rate >= AIM else f"missed by {AIM / rate:.1f}x"


def drain(filled: Path, home: Path, events: int) -> dict[str, float]:
    """Drain a copy of a filled store in a process of its own."""
    shutil.copytree(filled, home)
    done = subprocess.run(
        [sys.executable, "-c", DRAIN, str(home)], check=True, capture_output=True, text=True
    )
    shutil.rmtree(home)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    assert found["rows"] == events, f"events were lost: {found}"
    return found


def bare(folder: Path, events: int) -> float:
    """Return the CPU seconds that DuckDB alone takes for the same events."""
    lines, warehouse = folder / "lines.jsonl", folder / "bare.duckdb"
    with lines.open("wb") as file:
        file.writelines(map(line, range(events)))
    done = subprocess.run(
        [sys.executable, "-c", BARE, lines, warehouse], check=True, capture_output=True, text=True
    )
    lines.unlink()
    warehouse.unlink()
    return float(done.stdout.split()[-1])  # behind DuckDB's progress bars


def fill(home: Path, events: int, a_request: int) -> int:
    """Put events into the store of a home as the gate would; return their bytes."""
    from dlt_pipelines.config import Settings
    from dlt_pipelines.event_store import Entry
    from dlt_pipelines.event_store.opening import open_store

    home.mkdir()
    store = open_store(Settings(home, str(home / "mindweave.duckdb"), "local"))
    size = 0
    for first in range(0, events, 100 * a_request):
        entries = []
        for start in range(first, min(first + 100 * a_request, events), a_request):
            body = b"".join(map(line, range(start, min(start + a_request, events))))
            entries.append(Entry("events", body, RECEIVED_AT + timedelta(milliseconds=start)))
            size += len(body)
        store.append(entries)
    store.close()
    return size


def line(number: int) -> bytes:
    """Return an event of a call as the gate writes it."""
    return (
        b'{"data":{"cache_read_tokens":80000,"call_id":"call-%08d","cost":0.077612345678901,'
        b'"input_tokens":%d,"latency_ms":2841,"mcp_name":"ticketdesk","message_id":"msg_%010d",'
        b'"model_id":"claude-opus-4-8","output_tokens":%d,"status":"success","team_id":"payments",'
        b'"timestamp":"2026-08-03T10:%02d:%02d.112Z","tool_name":"get_ticket",'
        b'"user_id":"person_0123456789abcdef","vendor":"anthropic"},"id":"e%09d",'
        b'"source":"//gateway.example.com/mcp/eu-1","subject":"ticketdesk/get_ticket",'
        b'"time":"2026-08-03T10:15:04.112000Z","type":"com.mindweave.mcp.call"}\n'
    ) % (number, number % 5000, number, number % 700, number // 60 % 60, number % 60, number)


if __name__ == "__main__":
    main()
