"""Run the intake: one process that finishes what it has begun when it is stopped."""

import gc
import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import replace

import uvicorn

from api.app import Limits, create_app
from api.tokens import TokenRegistry
from dlt_pipelines.config import Settings
from dlt_pipelines.errors import MindweaveError, UsageError
from dlt_pipelines.event_gate import event_types, open_gate
from dlt_pipelines.event_store.opening import has_store, open_store
from dlt_pipelines.plugin import installed_plugins

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75  # longer than clients keep an idle connection
STOP_SECONDS = 30


def serve(
    settings: Settings, host: str, port: int, rate: int, announce: Callable[[str], None]
) -> None:
    """Take events until the process is stopped; ``announce`` is told the address.

    Raises MindweaveError where the port is not free, or the store that a URL names is no use.
    """
    has_store(settings)  # a Redis that would lose events is told of now, not by every answer
    types = event_types(installed_plugins().values())
    app = create_app(
        TokenRegistry(settings.home / "tokens.sqlite"),
        lambda customer: open_store(replace(settings, customer=customer)),
        lambda customer: open_gate(replace(settings, customer=customer), types),
        Limits(requests_per_second=rate),
    )
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level=logging.ERROR,  # anybody could fill a log of what is no HTTP
        access_log=False,  # it would write down tokens that come in an address
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    with listening(host, port) as listener:
        announce(f"http://{_shown(listener)}")
        # uvicorn stops in peace, then raises the signal again for whoever started it
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)
        gc.freeze()  # no pause looks again at what the start has made
        uvicorn.Server(config).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises one-line errors for what cannot be listened on."""
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError:
        raise UsageError(f"--host {host}: no such host; 127.0.0.1 is this machine alone") from None
    try:
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise MindweaveError(
            f"cannot listen on {host}, port {port}: {error.strerror}; "
            "choose another with --port, or --host"
        ) from None


def _shown(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
