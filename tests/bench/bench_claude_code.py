"""How long a user waits for transcripts, next to bare tools on the same files.

usage: python tests/bench/bench_claude_code.py TREE [--ccusage BINARY] [--runs N]

TREE holds projects/*/*.jsonl; each figure is the median of N whole processes (default 3), start-up
and imports included. Ratios are of medians of the same run: the machine may be slow, both are.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

MINDWEAVE = str(Path(sys.executable).with_name("mindweave"))

# the columns that the loader reads, aggregated so that nothing but the scan counts
BARE_SCAN = """
import duckdb, sys
duckdb.execute('''
select
    type, count(uuid), count(requestId), count(timestamp), count(sessionId), count(isSidechain),
    count(cwd), count(message.id), count(message.model), sum(strlen(message.content)),
    sum(message.usage.input_tokens), sum(message.usage.output_tokens),
    sum(message.usage.cache_creation_input_tokens), sum(message.usage.cache_read_input_tokens),
    sum(message.usage.cache_creation.ephemeral_5m_input_tokens),
    sum(message.usage.cache_creation.ephemeral_1h_input_tokens),
    count(message.usage.service_tier), count(message.usage.speed),
    count(message.usage.inference_geo)
from read_json(
    ?, format = 'newline_delimited', ignore_errors = true,
    columns = {type: 'VARCHAR', uuid: 'VARCHAR', timestamp: 'VARCHAR', requestId: 'VARCHAR',
        cwd: 'VARCHAR', sessionId: 'VARCHAR', isSidechain: 'BOOLEAN',
        message: 'STRUCT(id VARCHAR, model VARCHAR, content JSON, usage STRUCT(
            input_tokens BIGINT, output_tokens BIGINT, cache_creation_input_tokens BIGINT,
            cache_read_input_tokens BIGINT, cache_creation STRUCT(
                ephemeral_5m_input_tokens BIGINT, ephemeral_1h_input_tokens BIGINT),
            service_tier VARCHAR, speed VARCHAR, inference_geo VARCHAR))'}
) group by type
''', [sys.argv[1]]).fetchall()
"""

# the run of `mindweave run` up to the site
WITHOUT_SITE = """
import sys
from rich.console import Console
from dlt_pipelines.config import read_settings
from flows import steps
from flows.locks import exclusive_run
from flows.summary import print_summary
settings = read_settings()
with exclusive_run(settings):
    roots = [{"path": sys.argv[1]}]
    assert not steps.load_check_build(settings, ["claude_code"], {"roots": roots}).failure
    print_summary(settings, Console())
"""


def main() -> None:
    """Run every case and print figures and ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tree", type=Path)
    parser.add_argument("--ccusage", help="the ccusage program, to compare with")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    tree, runs = arguments.tree.resolve(), arguments.runs
    files = list(tree.glob("projects/*/*.jsonl"))
    size = sum(file.stat().st_size for file in files)
    print(f"{len(files):,} files, {size / 1e6:,.0f} MB, {os.cpu_count()} cores, {runs} runs each\n")
    load = [MINDWEAVE, "load", "--path", str(tree)]
    whole = [sys.executable, "-c", WITHOUT_SITE, str(tree)]
    pattern = str(tree / "projects" / "*" / "*.jsonl")

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        bare = measure(
            "bare read_json, same columns", runs, [sys.executable, "-c", BARE_SCAN, pattern]
        )
        cold = measure("load, cold", runs, load, home, before=lambda: wipe(home))
        again = measure("load, nothing new", runs, load, home)
        added: list[Path] = []
        one = measure(
            "load, one new session",
            runs,
            load,
            home,
            before=lambda: added.append(new_session(files)),
        )
        for file in added:
            file.unlink()
        run_cold = measure(
            "load, checks, build, cold", runs, whole, home, before=lambda: wipe(home)
        )
        run_again = measure("load, checks, build, nothing new", runs, whole, home)
        print()
        ratio("load, cold / bare scan", cold, bare, "at most 5, 3 is the aim")
        limit("load, nothing new", again, 2)
        limit("load, one new session", one, 3)
        if arguments.ccusage:
            ccusage = measure(
                "ccusage",
                runs,
                [arguments.ccusage, "claude", "daily", "--json", "--offline"],
                environment={"CLAUDE_CONFIG_DIR": str(tree)},
            )
            ratio("whole way, cold / ccusage", run_cold, ccusage, "at most 3")
            ratio("whole way, nothing new / ccusage", run_again, ccusage, "below 1")


def measure(
    name: str,
    runs: int,
    command: list[str],
    home: Path | None = None,
    before: Callable[[], object] = lambda: None,
    environment: dict[str, str] | None = None,
) -> float:
    """Return the median seconds of ``command`` as a whole process, and print it with its memory."""
    seconds, megabytes = [], []
    variables = os.environ | (environment or {})
    if home:
        variables |= {"MINDWEAVE_HOME": str(home)}
    for _ in range(runs):
        before()
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - started)
        megabytes.append(usage.ru_maxrss / 1024)
        if status:
            errors = process.stderr.read().decode() if process.stderr else ""
            raise SystemExit(f"{name} failed: {errors}")
    spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
    median = statistics.median(seconds)
    print(f"{name:36} {median:7.2f} s  ({spread})  {max(megabytes):5.0f} MB")
    return median


def ratio(name: str, ours: float, theirs: float, wanted: str) -> None:
    """Print one median over another."""
    print(f"{name:36} {ours / theirs:7.2f} ×  ({wanted})")


def limit(name: str, ours: float, most: float) -> None:
    """Print a median beside its limit."""
    print(f"{name:36} {ours:7.2f} s  (at most {most} s)")


def wipe(home: Path) -> None:
    """Start from nothing."""
    shutil.rmtree(home, ignore_errors=True)


def new_session(files: list[Path]) -> Path:
    """Add a session of twenty lines beside the first file."""
    session = str(uuid.uuid4())
    lines = []
    for _ in range(20):
        record = {
            "type": "assistant",
            "uuid": str(uuid.uuid4()),
            "requestId": f"req_{uuid.uuid4().hex}",
            "sessionId": session,
            "timestamp": "2025-12-31T12:00:00.000Z",
            "cwd": "/home/dev0/src/billing",
            "isSidechain": False,
            "message": {
                "id": f"msg_{uuid.uuid4().hex}",
                "model": "claude-haiku-4-5-20251001",
                "content": [{"type": "text", "text": "done"}],
                "usage": {"input_tokens": 10, "output_tokens": 20},
            },
        }
        lines.append(json.dumps(record))
    path = files[0].with_name(f"{session}.jsonl")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


if __name__ == "__main__":
    main()
