"""A real Redis for the tests: the installed one, in a folder and on a port of its own."""

import contextlib
import secrets
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from tests.servers.processes import (
    Supervised,
    free_port,
    is_listening,
    server_folder,
    supervised,
    wait_until,
)

DURABLE = {"appendonly": "yes", "appendfsync": "always"}


@dataclass
class RedisServer:
    """A running Redis."""

    url: str
    """Database 0, with the password."""
    port: int
    process: Supervised

    def ask(self, *command: Any) -> Any:
        """Run one command."""
        with redis.Redis.from_url(self.url) as client:
            return client.execute_command(*command)

    def kill(self) -> None:
        """Kill it with -9."""
        self.process.stop_or_start()
        wait_until(lambda: not is_listening(self.port), self.process.is_running)

    def start(self) -> None:
        """Start it again after `kill`."""
        self.process.stop_or_start()
        wait_until(self.answers, self.process.is_running)

    def answers(self) -> bool:
        """Say whether it has read its files and takes commands."""
        try:
            return bool(self.ask("PING"))
        except redis.ConnectionError:
            return False


@contextlib.contextmanager
def redis_server(**settings: str) -> Iterator[RedisServer]:
    """Serve an empty Redis that keeps what it acknowledges, unless ``settings`` say otherwise."""
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("no redis-server: install it to test the Redis event store")
    with server_folder() as folder:
        port, password = free_port(), secrets.token_hex(8)
        chosen = {
            "port": str(port),
            "bind": "127.0.0.1",
            "dir": str(folder),
            "requirepass": password,
            "save": "",
            **DURABLE,
            **settings,
        }
        command = [program, *(part for name in chosen for part in (f"--{name}", chosen[name]))]
        with supervised(command, folder, stop_signal=signal.SIGKILL) as process:
            server = RedisServer(f"redis://:{password}@127.0.0.1:{port}/0", port, process)
            wait_until(server.answers, process.is_running)
            yield server
