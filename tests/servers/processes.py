"""Run a server in a process and a folder of its own that are gone when the tests are.

To add a kind of server: make a ``server_folder``, start the server in it with ``supervised``, wait
with ``wait_until``, yield its URL.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

START_SECONDS = 60


def server_identity() -> tuple[int, int]:
    """Return the user and group id that servers run as: our own, but never root's."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def run_as_server(command: Sequence[str | Path]) -> None:
    """Run ``command`` to its end as the user that servers run as."""
    uid, gid = server_identity()
    identity: dict[str, Any] = {}
    if uid != os.geteuid():
        identity = {"user": uid, "group": gid, "extra_groups": []}
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, **identity)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()}")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Say whether somebody listens on ``port`` of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def server_folder() -> Iterator[Path]:
    """Yield a new folder that belongs to the servers' user and is gone afterwards."""
    # not below pytest's tmp_path, whose parents are closed to everybody else
    folder = Path(tempfile.mkdtemp(prefix="mindweave-test-"))
    os.chown(folder, *server_identity())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Supervised:
    """A server that a supervisor runs."""

    def __init__(self, supervisor: subprocess.Popen[bytes]) -> None:
        """Take over a running supervisor."""
        self._supervisor = supervisor

    def is_running(self) -> bool:
        """Say whether it has not ended by itself."""
        return self._supervisor.poll() is None

    def stop_or_start(self) -> None:
        """Have the server stopped, or a stopped one started, in the folder it has."""
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.write(b"\n")
        self._supervisor.stdin.flush()


@contextlib.contextmanager
def supervised(
    command: Sequence[str | Path],
    folder: Path,
    *,
    stop_signal: signal.Signals = signal.SIGTERM,
    run_as: tuple[int, int] | None = None,
) -> Iterator[Supervised]:
    """Run a server in ``folder`` until the block ends or this process dies.

    ``folder`` goes with the server. ``run_as`` is a user and a group id, else the servers'.
    """
    arguments = [folder, int(stop_signal), *(run_as or server_identity()), *command]
    supervisor = subprocess.Popen(
        [sys.executable, "-IS", Path(__file__).with_name("supervise.py"), *map(str, arguments)],
        stdin=subprocess.PIPE,
        # Ctrl-C and a kill of the whole group are meant for the tests, which end first
        start_new_session=True,
    )
    assert supervisor.stdin is not None
    try:
        yield Supervised(supervisor)
    finally:
        supervisor.stdin.close()
        supervisor.wait()


@contextlib.contextmanager
def supervised_program(
    program: str, arguments: Sequence[str | int | Path], folder: Path
) -> Iterator[Supervised]:
    """Run a server that is a Python program beside this file, like ``supervised``.

    It starts as whoever runs the tests, since the servers' user may not be able to read this Python
    (an environment in somebody's closed home folder), and becomes the servers' user: its first
    arguments are the user and the group id.
    """
    path = Path(__file__).with_name(program)
    command = [sys.executable, "-IS", path, *server_identity(), *arguments]
    ourselves = os.geteuid(), os.getegid()
    with supervised([str(part) for part in command], folder, run_as=ourselves) as server:
        yield server


def wait_until(ready: Callable[[], bool], is_running: Callable[[], bool]) -> None:
    """Return when ``ready``; raise when the server ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if not is_running():
            raise RuntimeError("the server ended while starting; its log is on standard error")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server was not ready after {START_SECONDS} seconds")
        time.sleep(0.02)
