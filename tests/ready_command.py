"""The command, forked from a process that has imported what it will: often the most of its work.

usage: python -m tests.ready_command SOCKET     (a request and where to print in, a status out)
"""

import atexit
import functools
import gc
import importlib
import json
import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import duckdb

REPOSITORY = Path(__file__).resolve().parents[1]
START_SECONDS = 60
# of others alone: which project the command is of is known with a request
IMPORTED = (
    "duckdb",
    "typer",
    "rich.progress",
    "pydantic",
    "dlt",
    "dlt.destinations",
    "dlt.sources.helpers.requests",
    "sqlalchemy",
    "pandas",
    "dbt.cli.main",
    "dbt.adapters.duckdb",
    "dbt.adapters.postgres",
    "dbt.adapters.clickhouse",
    "dbt.parser.manifest",
    "dbt.task.build",
    "metricflow.converters",
    "pyarrow.csv",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pydantic.json_schema",
)


def run(
    arguments: list[str], environment: Mapping[str, str], folder: Path, seconds: float
) -> "subprocess.CompletedProcess[str]":
    """Run the command in an environment and a folder, as `subprocess.run` would.

    Raises TimeoutError after ``seconds``.
    """
    request = json.dumps([arguments, dict(environment), str(folder)]).encode()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        connection.settimeout(seconds)
        connection.connect(str(_server()))
        socket.send_fds(connection, [b"."], [output.fileno(), errors.fileno()])
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        status = int(connection.recv(16))
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, status, output.read(), errors.read())


@functools.cache
def _server() -> Path:
    """Start the process that forks, and return its socket; it ends with this one."""
    from dlt_pipelines.load import DLT_ENVIRONMENT  # not in the process that forks

    folder = Path(tempfile.mkdtemp())
    address = folder / "socket"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MINDWEAVE_")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(address)],
        cwd=REPOSITORY,
        env=environment | DLT_ENVIRONMENT | {"HOME": str(folder), "DO_NOT_TRACK": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(process.kill)
    deadline = time.monotonic() + START_SECONDS
    while not address.exists():
        assert process.poll() is None and time.monotonic() < deadline, "it did not start"
        time.sleep(0.05)
    return address


def main() -> None:
    """Import, then fork for each request; only the process of a command returns."""
    for name in IMPORTED:
        importlib.import_module(name)
    duckdb.default_connection().close()  # its threads would not be there in a fork
    gc.freeze()  # or the first collection would copy it all
    address = Path(sys.argv[1])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address.with_suffix(".new")))
        listener.listen()
        address.with_suffix(".new").rename(address)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for who answers a request
        while True:
            connection, _ = listener.accept()
            if not os.fork():
                break
            connection.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, (output, errors), _, _ = socket.recv_fds(connection, 1, 2)
    with connection.makefile("rb") as stream:
        arguments, environment, folder = json.load(stream)
    command = os.fork()
    if command:
        _, status = os.waitpid(command, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    connection.close()
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # as Python begins: the current folder of ``-m`` is none of the command's
    sys.path[:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    random.seed()
    duckdb.set_default_connection(duckdb.connect())
    sys.argv = ["mindweave", *arguments]
    # what helps and forks of its own would take for the command
    sys.modules["__main__"] = ModuleType("__main__")
    logging.getLogger().handlers.clear()  # of what only other commands import
    from flows.cli import main as run_command

    status = 0
    try:
        run_command()
    except SystemExit as stop:
        status = int(stop.code or 0)
    # what Python does at its end, but for taking apart all that was imported
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
