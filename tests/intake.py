"""A real intake for tests: `mindweave serve` in a process of its own, and what it kept."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api.tokens import TokenRegistry
from dlt_pipelines.event_store import DeadLetter, Entry
from dlt_pipelines.event_store.sqlite_store import SqliteStore
from tests import ready_command
from tests.transcripts import MINDWEAVE, REPOSITORY

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
CALL = "com.example.call"
CANARY = "canary-7f3d0a"  # content: it may be in no log and in no answer

# a source of somebody else that takes events of one type
PLUGIN = """
from pydantic import BaseModel
from dlt_pipelines.plugin import SourcePlugin

class ExamplePlugin(SourcePlugin):
    name = "example"
    version = "1.0.0"
    configuration = BaseModel
    event_types = {
        "com.example.call": {
            "type": "object",
            "required": ["call_id", "tokens"],
            "properties": {
                "call_id": {"type": "string", "minLength": 1},
                "tokens": {"type": ["integer", "null"], "minimum": 0},
                "cost": {"type": ["number", "null"], "minimum": 0},
                "user": {"type": ["string", "null"], "x-privacy": "person"},
                "prompt": {"x-privacy": "content"},
                "tools": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"name": {"type": "string"}}},
                },
                "status": {"enum": ["success", "error"]},
                "anything": {},
            },
        }
    }

    def fetch(self, since=None, until=None):
        return []
"""


def install_example(folder: Path) -> Path:
    """Install a source that takes events, as pip would."""
    folder.mkdir()
    (folder / "example_events.py").write_text(PLUGIN)
    about = folder / "example_events-1.0.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: example-events\nVersion: 1.0.0\n")
    (about / "entry_points.txt").write_text(
        "[mindweave.sources]\nexample = example_events:ExamplePlugin\n"
    )
    return folder


def event(number: Any = 1, data: Any = None, **attributes: Any) -> dict[str, Any]:
    """Return an event in the JSON format that the example takes."""
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "//gateway.example.com/eu-1",
        "type": CALL,
        "data": {"call_id": f"call-{number}", "tokens": 12} if data is None else data,
        **attributes,
    }


@dataclass
class Intake:
    """A server and the home that it works in."""

    home: Path
    address: str
    process: "subprocess.Popen[bytes]"
    log: Path
    environment: dict[str, str]

    def token(self, customer: str = "acme") -> str:
        """Return a new token of a customer."""
        with closing(TokenRegistry(self.home / "tokens.sqlite")) as registry:
            return registry.create(customer)

    def client(self, customer: str = "acme") -> httpx.Client:
        """Return a client with a new token of a customer."""
        headers = {"Authorization": f"Bearer {self.token(customer)}"}
        # no certificates are read for what speaks plain HTTP: that takes long
        return httpx.Client(
            base_url=self.address,
            headers=headers,
            timeout=30,
            verify=False,  # noqa: S501
        )

    def entries(self, customer: str = "acme") -> list[Entry]:
        """Return what a drain would read."""
        path = self.home / "events" / f"{customer}.sqlite"
        if not path.exists():
            return []
        with closing(SqliteStore(path)) as store:
            return [stored.entry for stored in store.read(None, 2**40)]

    def events(self, customer: str = "acme") -> list[dict[str, Any]]:
        """Return the events that a drain would read."""
        bodies = [entry.body for entry in self.entries(customer) if entry.kind == "events"]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    def letters(self, customer: str = "acme") -> list[DeadLetter]:
        """Return the dead letters."""
        path = self.home / "events" / f"{customer}.sqlite"
        if not path.exists():
            return []
        with closing(SqliteStore(path)) as store:
            return list(store.dead_letters())

    def mindweave(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        """Run another command in the same home."""
        return ready_command.run(list(map(str, arguments)), self.environment, REPOSITORY, 60)

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Stop the server and return its exit status."""
        self.process.send_signal(with_signal)
        return self.process.wait(60)


@contextlib.contextmanager
def serving(
    folder: Path, *arguments: object, under: Sequence[object] = (), **variables: str
) -> Iterator[Intake]:
    """Serve in ``folder`` on a free port until the block ends; ``under`` runs the command."""
    sources = folder / "sources"
    if not sources.exists():
        install_example(sources)
    home = folder / "home"
    environment = {name: text for name, text in os.environ.items() if "MINDWEAVE" not in name} | {
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(sources)]),
        "MINDWEAVE_HOME": str(home),
        **variables,
    }
    log = folder / "server.log"
    with log.open("ab") as stream:
        start = log.stat().st_size
        process = subprocess.Popen(
            [*map(str, under), MINDWEAVE, "serve", "--port", "0", *map(str, arguments)],
            env=environment,
            stdout=stream,
            stderr=stream,
        )
    try:
        yield Intake(home, _address(process, log, start), process, log, environment)
    finally:
        process.kill()
        process.wait()


def _address(process: "subprocess.Popen[bytes]", log: Path, start: int) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        text = log.read_bytes()[start:].decode()
        if found := re.search(r"at (http://\S+);", text):
            return found[1]
        time.sleep(0.02)
    raise RuntimeError(f"the intake did not start: {log.read_text()}")
