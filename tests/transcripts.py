"""Small writers of Claude Code transcripts, and what else the tests of loading share."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from dlt_pipelines.config import Settings
from dlt_pipelines.load import LoadResult, load_source
from tests import ready_command

MINDWEAVE = Path(sys.executable).with_name("mindweave")
REPOSITORY = Path(__file__).resolve().parents[1]
MODEL = "claude-sonnet-4-5-20250929"
Record = dict[str, Any]

ANSWER: Record = {
    "parentUuid": None,
    "isSidechain": False,
    "userType": "external",
    "cwd": "/home/dana/shop-api",
    "sessionId": "session-1",
    "version": "2.1.240",
    "gitBranch": "main",
    "type": "assistant",
    "timestamp": "2025-10-03T10:15:02.114Z",
    "message": {
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": "Let me look."}],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 6,
            "cache_creation_input_tokens": 4200,
            "cache_read_input_tokens": 31800,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 4200},
            "output_tokens": 187,
            "server_tool_use": {"web_search_requests": 1},
            "service_tier": "standard",
            "speed": "standard",
            "inference_geo": "global",
        },
    },
}


def answer(number: int | str = 1, *, usage: Record | None = None, **changes: Any) -> Record:
    """Return one line of an answer; ``usage`` and ``changes`` replace what is there."""
    record = copy.deepcopy(ANSWER)
    record |= {"uuid": f"uuid-{number}", "requestId": f"req_{number}", **changes}
    message = record["message"]
    message.setdefault("id", f"msg_{number}")
    message["usage"] |= usage or {}
    return record


def one_pass(type_: str, **changes: Any) -> Record:
    """Return an entry of `usage.iterations`."""
    tokens = ("input_tokens", "output_tokens", "cache_read_input_tokens")
    return {"type": type_, **dict.fromkeys(tokens, 0), "cache_creation_input_tokens": 0, **changes}


def tool_use(number: int | str = 1, name: str = "mcp__tickets__get_ticket") -> Record:
    """Return one line of an answer that calls a tool."""
    record = answer(number)
    record["message"]["content"] = [
        {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": {"id": "T-1042"}}
    ]
    return record


def prompt(number: int | str = 1, content: Any = "What is stuck?", **changes: Any) -> Record:
    """Return the line of what a person typed: a text or a list of blocks."""
    return {
        "type": "user",
        "uuid": f"uuid-prompt-{number}",
        "timestamp": "2025-10-03T10:14:58.002Z",
        "sessionId": "session-1",
        "isSidechain": False,
        "cwd": "/home/dana/shop-api",
        "message": {"role": "user", "content": content},
        **changes,
    }


def tool_result(number: int | str = 1, is_error: bool = False) -> Record:
    """Return the line with the result of `tool_use`."""
    return {
        "type": "user",
        "uuid": f"uuid-result-{number}",
        "timestamp": "2025-10-03T10:15:09.201Z",
        "sessionId": "session-1",
        "cwd": "/home/dana/shop-api",
        "message": {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": f"toolu_{number}",
                    "is_error": is_error,
                    "content": [{"type": "text", "text": "Refund stuck since Monday"}],
                }
            ],
        },
    }


def as_line(record: Record | str | bytes) -> bytes:
    """Return a record as Claude Code writes it; text and bytes as they are."""
    if isinstance(record, bytes):
        return record
    if isinstance(record, str):
        return record.encode()
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()


def write(path: Path, *records: Record | str | bytes) -> Path:
    """Write a transcript, one record a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(as_line(record) + b"\n" for record in records))
    return path


def append(path: Path, *records: Record | str | bytes) -> None:
    """Add lines to a transcript."""
    with path.open("ab") as stream:
        stream.write(b"".join(as_line(record) + b"\n" for record in records))


def load(settings: Settings, path: Path, **configuration: Any) -> LoadResult:
    """Load the transcripts at ``path`` in this process."""
    root = {"path": path, **configuration.pop("root", {})}
    return load_source(settings, "claude_code", {"roots": [root], **configuration})


def rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    """Ask a DuckDB warehouse; ``{raw}`` and ``{marts}`` are the customer's schemas."""
    with duckdb.connect(settings.warehouse_url, read_only=True) as connection:
        query = sql.format(raw=settings.raw_schema, marts=settings.marts_schema)
        return connection.execute(query).fetchall()


# most builds are a means, and the models' own tests are a fifth of one
WITHOUT_DATA_TESTS = {"DBT_EXCLUDE_RESOURCE_TYPES": "unit_test test"}
WITH_DATA_TESTS = {"DBT_EXCLUDE_RESOURCE_TYPES": "unit_test"}


def home_settings(home: Path, customer: str = "local") -> Settings:
    """Return the settings that `command_environment` leads to."""
    return Settings(home, str(home / "mindweave.duckdb"), customer)


def command_environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a user who has nothing but ``home``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MINDWEAVE_", "CLAUDE_", "XDG_", "PG", "DBT_"))
    }
    return {**kept, "HOME": str(home.parent), "MINDWEAVE_HOME": str(home), **variables}


def mindweave(
    home: Path, *arguments: str | Path, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run the command of `ready_command`; it tests what it builds `WITH_DATA_TESTS`."""
    environment = command_environment(home, **WITHOUT_DATA_TESTS | variables)
    return ready_command.run(list(map(str, arguments)), environment, home.parent, 300)


def mindweave_process(
    home: Path, *arguments: str | Path, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run the command as a user does, in a pipe: a process that has imported nothing yet."""
    return subprocess.run(
        [MINDWEAVE, *arguments],
        env=command_environment(home, **WITHOUT_DATA_TESTS | variables),
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=300,
    )


def succeeds(done: "subprocess.CompletedProcess[str]") -> str:
    """Return what a command printed, which must have gone well."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def assert_one_line(stderr: str) -> None:
    """Check that an error is one line of ours and no stack trace."""
    assert stderr.startswith("mindweave: "), stderr
    assert stderr.count("\n") == 1, stderr
    assert "\x1b" not in stderr


class Killed:
    """A command that is killed, with everything it started, at a moment of its work."""

    def __init__(self, home: Path, *arguments: object, **variables: str) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [MINDWEAVE, *map(str, arguments)],
            env=command_environment(home, **variables),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def when(self, is_time: Callable[[], bool]) -> bool:
        """Kill it once ``is_time``; tell whether it still ran then."""
        deadline = time.monotonic() + 60
        while self._process.poll() is None and not is_time():
            assert time.monotonic() < deadline, "the moment to kill at never came"
            time.sleep(0.001)
        was_running = self._process.poll() is None
        if was_running:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        return was_running

    def after(self, seconds: float) -> bool:
        """Kill it after some time."""
        end = time.monotonic() + seconds
        return self.when(lambda: time.monotonic() > end)

    def when_there_is(self, folder: Path, pattern: str) -> bool:
        """Kill it once there is such a file."""
        return self.when(lambda: next(folder.glob(pattern), None) is not None)
