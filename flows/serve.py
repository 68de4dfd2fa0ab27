"""The schedule: the flow of refresh.py every hour, with a Prefect server of its own beside it."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from dlt_pipelines.config import PROJECT_DIR, Settings
from dlt_pipelines.errors import MindweaveError

SERVER_START_SECONDS = 120

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLI_PROMPT": "false",
}


def serve_hourly(settings: Settings) -> None:
    """Run the flow now and every hour, until the process is stopped.

    A server that PREFECT_API_URL names is used; else one is started, as runs are not scheduled on
    the temporary server that a flow starts by itself. Its data is under MINDWEAVE_HOME.
    """
    os.environ.setdefault("PREFECT_HOME", str(settings.home / "prefect"))
    os.environ |= {name: os.environ.get(name, value) for name, value in QUIET.items()}
    # runs are processes of their own: they must find this warehouse from wherever they start
    os.environ |= {
        "MINDWEAVE_HOME": str(settings.home),
        "MINDWEAVE_WAREHOUSE": settings.warehouse_url,
    }
    os.chdir(PROJECT_DIR)
    if os.environ.get("PREFECT_API_URL"):
        _serve(settings.customer)
        return
    with _prefect_server(settings.home / "prefect" / "server.log") as url:
        os.environ["PREFECT_API_URL"] = url
        _serve(settings.customer)


def _serve(customer: str) -> None:
    from prefect.exceptions import TerminationSignal

    with suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(_run_now_and_hourly(customer))


async def _run_now_and_hourly(customer: str) -> None:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments import arun_deployment
    from prefect.runner import Runner

    from flows.refresh import refresh

    name = f"hourly-{customer}"
    runner = Runner(name=name)
    deployment = await runner.aadd_flow(
        refresh,
        name=name,
        interval=timedelta(hours=1),
        parameters={"customer": customer},
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE
        ),
    )
    # the schedule's first run is an hour away, and a time set for now may pass before it is known
    await arun_deployment(deployment, timeout=0, as_subflow=False)
    await runner.start()


@contextmanager
def _prefect_server(log_path: Path) -> Iterator[str]:
    """Run a server on this machine only and yield the address of its API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui"]
    with log_path.open("ab") as log:
        server = subprocess.Popen(  # noqa: S603  # a fixed command
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C must reach the runs first, which report to it
        )
    try:
        _wait_for(f"{url}/health", server, log_path)
        yield url
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log_path: Path) -> None:
    deadline = time.monotonic() + SERVER_START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # our own server
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise MindweaveError(f"the Prefect server did not start: see {log_path}")
