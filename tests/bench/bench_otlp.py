"""How long OTLP files take from disk to a DuckDB warehouse, and what holds it back.

usage: python tests/bench/bench_otlp.py [--records N] [--a-line N] [--runs N]

Each figure is the median of whole processes' loads (imports are not counted: a run pays them once).
CPU seconds stand beside the clock's, as the machine may have other work; the aim is for two idle
cores. The stages below it are timed one by one on the same file.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

AIM = 150_000

LOAD = """
import json, resource, sys, time
from pathlib import Path
import dlt, dlt.sources.helpers.requests, sqlalchemy
from dlt_pipelines.config import Settings
from dlt_pipelines.load import load_source
home = Path(sys.argv[1])
settings = Settings(home, str(home / "mindweave.duckdb"), "local")
started, cpu = time.monotonic(), time.process_time()
result = load_source(settings, sys.argv[2], {"roots": [{"path": sys.argv[3]}]})
print(json.dumps({
    "rows": result.counts.rows_loaded,
    "seconds": time.monotonic() - started,
    "cpu": time.process_time() - cpu,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
}))
"""


def main() -> None:
    """Write the files, load them, time the stages."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--a-line", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for source, record, wrap in (
            ("claude_code_otel", api_request, logs),
            ("otel_genai", model_span, traces),
        ):
            path = Path(folder, f"{source}.jsonl")
            size = write(path, arguments.records, arguments.a_line, record, wrap)
            print(
                f"\n{source}: {arguments.records:,} records, {arguments.a_line} a line, "
                f"{size / 1e6:,.0f} MB, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
            )
            found = [
                load(Path(folder, f"{source}-{run}"), source, path) for run in range(arguments.runs)
            ]
            middle = {name: statistics.median(run[name] for run in found) for name in found[0]}
            assert middle["rows"] == arguments.records, "records were lost"
            rate = arguments.records / middle["seconds"]
            print(
                f"  file to warehouse      {middle['seconds']:7.2f} s  {middle['cpu']:7.2f} s CPU"
            )
            print(f"  records a second       {rate:9,.0f}  (aim {AIM:,}: {verdict(rate)})")
            both = 2 * arguments.records / middle["cpu"]
            print(
                f"  two cores to itself    {both:9,.0f}  at most, by the CPU time: {verdict(both)}"
            )
            print(f"  peak memory            {middle['peak']:9,.0f} MB")
            stages(source, path)
            path.unlink()


def verdict(rate: float) -> str:
    """Say whether a rate is what it should be."""
    return "met" if rate >= AIM else f"missed by {AIM / rate:.1f}x"


def load(home: Path, source: str, path: Path) -> dict[str, float]:
    """Load a file in a process of its own."""
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(home), source, str(path)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "MINDWEAVE_HOME": str(home)},
    )
    (home / "mindweave.duckdb").unlink()
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def stages(source: str, path: Path) -> None:
    """Print what reading the bytes and parsing the JSON take without the rest."""
    import duckdb
    import pyarrow as pa

    from dlt_pipelines import otlp
    from dlt_pipelines.jsonl_files import JsonlFile, read_lines

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started, cpu = time.monotonic(), time.process_time()
        result = work()
        seconds, used = time.monotonic() - started, time.process_time() - cpu
        print(f"  of it, {name:15s} {seconds:7.2f} s  {used:7.2f} s CPU")
        return result

    def batches() -> Iterator[pa.Table]:
        file = JsonlFile(str(path), "bench", path.stat().st_size, 1)
        return (batch.lines for batch in read_lines([file], b"k" * 32))

    timed("bytes to lines", lambda: sum(table.num_rows for table in batches()))
    connection = duckdb.connect()
    signal: otlp.Signal = "logs" if source == "claude_code_otel" else "traces"

    def parse(attributes: otlp.Attributes, outcome: str) -> int:
        total = 0
        for table in batches():
            slices = pa.RecordBatchReader.from_batches(table.schema, otlp.in_slices(table))
            connection.register("requests", slices)
            query = otlp.records_sql(signal, attributes, "true", "requests")
            [count] = connection.execute(f"with {query} select {outcome}").fetchone() or (0,)
            total += count
        return total

    timed("JSON to structs", lambda: parse(otlp.Attributes(), "count(request) from parsed"))
    one = otlp.Attributes(record={"model": ("model", "gen_ai.request.model")})
    timed("one attribute", lambda: parse(one, "count(model) from records"))


def write(
    path: Path,
    records: int,
    a_line: int,
    record: Callable[[int], dict[str, Any]],
    wrap: Callable[[list[str]], str],
) -> int:
    """Write a file of requests; return its size."""
    with path.open("w") as stream:
        for first in range(0, records, a_line):
            numbers = range(first, min(first + a_line, records))
            texts = [json.dumps(record(number), separators=(",", ":")) for number in numbers]
            stream.write(wrap(texts) + "\n")
    return path.stat().st_size


def logs(records: list[str]) -> str:
    """Return a request of Claude Code's."""
    return (
        '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":'
        '{"stringValue":"claude-code"}},{"key":"team.id","value":{"stringValue":"payments"}}]},'
        '"scopeLogs":[{"scope":{"name":"com.anthropic.claude_code.events"},"logRecords":['
        f"{','.join(records)}]}}]}}]}}"
    )


def traces(records: list[str]) -> str:
    """Return a request of an agent's."""
    return (
        '{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":'
        '{"stringValue":"support-agent"}},{"key":"team.id","value":{"stringValue":"support"}}]},'
        f'"scopeSpans":[{{"scope":{{"name":"example"}},"spans":[{",".join(records)}]}}]}}]}}'
    )


def attributes(values: dict[str, str | int | float]) -> list[dict[str, Any]]:
    """Return attributes as a collector tags them."""
    return [
        {
            "key": key,
            "value": {"stringValue": value}
            if isinstance(value, str)
            else {"intValue": str(value)}
            if isinstance(value, int)
            else {"doubleValue": value},
        }
        for key, value in values.items()
    ]


def api_request(number: int) -> dict[str, Any]:
    """Return one event as Claude Code writes it: 20 attributes, 1.4 kB."""
    at = str(1_785_752_103_640_000_000 + number * 1_000_000)
    return {
        "timeUnixNano": at,
        "observedTimeUnixNano": at,
        "body": {"stringValue": "claude_code.api_request"},
        "attributes": attributes(
            {
                "event.name": "api_request",
                "event.timestamp": "2026-08-03T10:15:03.640Z",
                "event.sequence": number,
                "session.id": f"0c9a6f1e-77a4-4a55-8f43-{number // 200:012d}",
                "prompt.id": f"8d0f0a77-5a0e-4a83-8a4c-{number // 10:012d}",
                "user.id": f"5c2e7a41b09d{number % 500}",
                "user.account_id": f"user_01Wm4TgYb2Lc8Nd6RvP{number % 500}",
                "user.email": f"dana{number % 500}@example.com",
                "organization.id": "7f1c2c8e-4a5e-4b39-9b0e-0d5b8a1f6c11",
                "model": "claude-opus-5",
                "cost_usd": 0.062605,
                "cost_usd_micros": 62605,
                "duration_ms": 2841 + number % 1000,
                "input_tokens": 6,
                "output_tokens": 187 + number % 100,
                "cache_read_tokens": 31800,
                "cache_creation_tokens": 4200,
                "request_id": f"req_011CQk7mV3xTz9LbWd{number:08d}",
                "speed": "normal",
                "query_source": "repl_main_thread",
            }
        ),
    }


def model_span(number: int) -> dict[str, Any]:
    """Return one span of a model's call: 12 attributes, 1.1 kB."""
    at = 1_785_752_103_640_000_000 + number * 1_000_000
    return {
        "traceId": f"{number // 20:032x}",
        "spanId": f"{number:016x}",
        "parentSpanId": f"{number // 20:016x}",
        "name": "chat claude-sonnet-4-6",
        "kind": 3,
        "startTimeUnixNano": str(at),
        "endTimeUnixNano": str(at + 900_000_000),
        "attributes": attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": "claude-sonnet-4-6",
                "gen_ai.response.model": "claude-sonnet-4-6",
                "gen_ai.response.id": f"msg_{number:024d}",
                "gen_ai.conversation.id": f"conversation-{number // 100}",
                "gen_ai.usage.input_tokens": 45000 + number % 100,
                "gen_ai.usage.cache_read.input_tokens": 40000,
                "gen_ai.usage.cache_creation.input_tokens": 3000,
                "gen_ai.usage.output_tokens": 1000,
                "server.address": "api.anthropic.com",
                "gen_ai.request.max_tokens": 4096,
            }
        ),
        "status": {},
    }


if __name__ == "__main__":
    main()
