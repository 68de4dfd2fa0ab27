"""`mindweave schedule` as a user starts it: a real server, a real hourly deployment."""

import os
import signal
import subprocess
import time
from pathlib import Path

from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError
from tests import transcripts

FIRST_RUN_SECONDS = 300


def test_schedule_refreshes_at_once_and_stops_without_a_trace(tmp_path: Path) -> None:
    claude, home = tmp_path / "claude", tmp_path / "home"
    transcripts.write(claude / "projects" / "-p" / "s.jsonl", transcripts.answer())
    process = subprocess.Popen(
        [transcripts.MINDWEAVE, "schedule"],
        env=transcripts.command_environment(home, CLAUDE_CONFIG_DIR=str(claude)),
        cwd=tmp_path,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until_built(home, process)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert "Traceback" not in output
    assert not list_processes(str(home))


def wait_until_built(home: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + FIRST_RUN_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        # the site, which is next, may wait for the turn of another test's
        if list((home / "dbt" / "local").glob("built-*.json")):
            rows = warehouse_at(str(home / "mindweave.duckdb")).query(
                "select count(*) as calls from customer_local.mcp_calls"
            )
            assert rows.to_pylist() == [{"calls": 1}]
            return
        time.sleep(0.5)
    raise MindweaveError("the first run built nothing")


def list_processes(text: str) -> list[str]:
    """Return the command lines of running processes whose environment names ``text``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return found
