"""A real ClickHouse for the tests, started from a pip wheel."""

import contextlib
import http.client
import importlib.util
import os
import secrets
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tests.servers.processes import (
    Supervised,
    free_port,
    is_listening,
    server_folder,
    server_identity,
    supervised_program,
    wait_until,
)

# not imported: that would start an engine in the tests
CHDB_WHEEL = Path(importlib.util.find_spec("chdb").origin).parent  # type: ignore[union-attr,arg-type]
# the data is small and thrown away, and several servers run beside the tests
MEMORY_BYTES = 3_000_000_000
CONFIG = """
<clickhouse>
    <listen_host>127.0.0.1</listen_host>
    <http_port>{http_port}</http_port>
    <tcp_port>{native_port}</tcp_port>
    <users_config>users.xml</users_config>
    <logger><level>none</level></logger>
    <send_crash_reports><enabled>false</enabled></send_crash_reports>
    <max_server_memory_usage>{memory_bytes}</max_server_memory_usage>
    <mark_cache_size>16000000</mark_cache_size>
    <index_mark_cache_size>16000000</index_mark_cache_size>
    <primary_index_cache_size>16000000</primary_index_cache_size>
    <background_pool_size>2</background_pool_size>
    <background_schedule_pool_size>4</background_schedule_pool_size>
    {cluster}
</clickhouse>
"""

# The server starts itself as the user "default", who can therefore have no password. That one
# session is the only one it may have, so nobody else can be "default".
USERS = """
<clickhouse>
    <profiles>
        <default><max_memory_usage>{query_bytes}</max_memory_usage></default>
        <itself><max_sessions_for_user>1</max_sessions_for_user></itself>
    </profiles>
    <quotas><default/></quotas>
    <users>
        <default>
            <password/>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>itself</profile>
            <quota>default</quota>
        </default>
        <{user}>
            <password>{password}</password>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
        </{user}>
        {more_users}
    </users>
</clickhouse>
"""
USER = "mindweave"


@dataclass
class ClickHouseNode:
    """One ClickHouse server."""

    http_port: int
    native_port: int
    password: str
    server: Supervised

    @property
    def url(self) -> str:
        """The URL of its user with all rights on data."""
        account = f"{USER}:{self.password}"
        address = f"127.0.0.1:{self.native_port}"
        return f"clickhouse://{account}@{address}/?http_port={self.http_port}&secure=0"

    def wait(self) -> None:
        """Return when it answers over both protocols."""
        wait_until(
            lambda: answers(self.url) and is_listening(self.native_port), self.server.is_running
        )

    def stop(self) -> None:
        """Stop it and keep its data."""
        self.server.stop_or_start()
        wait_until(lambda: not is_listening(self.http_port), self.server.is_running)

    def start(self) -> None:
        """Start it again after ``stop``."""
        self.server.stop_or_start()
        self.wait()


def clickhouse_query(url: str, sql: str) -> str:
    """Return what the server at ``url`` answers over HTTP, tab separated.

    Raises:
        RuntimeError: with the server's own words, if it refuses.
    """
    parts = urllib.parse.urlsplit(url)
    port = int(urllib.parse.parse_qs(parts.query)["http_port"][0])
    login = {"X-ClickHouse-User": parts.username or "", "X-ClickHouse-Key": parts.password or ""}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/", sql.encode(), login)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(text)
    return text


def answers(url: str) -> bool:
    """Say whether a ClickHouse server answers at ``url``."""
    try:
        return clickhouse_query(url, "select 1") == "1\n"
    except (OSError, http.client.HTTPException, RuntimeError):
        return False


def _own_file(path: Path, text: str) -> None:
    """Write a file that belongs to the servers' user and that nobody else may read."""
    path.touch(mode=0o600)
    path.write_text(text)
    os.chown(path, *server_identity())


@contextlib.contextmanager
def clickhouse_node(
    http_port: int,
    native_port: int,
    password: str,
    *,
    cluster: str = "",
    more_users: str = "",
    memory_bytes: int = MEMORY_BYTES,
) -> Iterator[ClickHouseNode]:
    """Start one server; ``cluster`` is more of its config.xml."""
    with server_folder() as folder:
        _own_file(
            folder / "config.xml",
            CONFIG.format(
                http_port=http_port,
                native_port=native_port,
                cluster=cluster,
                memory_bytes=memory_bytes,
            ),
        )
        _own_file(
            folder / "users.xml",
            USERS.format(
                user=USER,
                password=escape(password),
                more_users=more_users,
                query_bytes=memory_bytes * 3 // 4,
            ),
        )
        with supervised_program("clickhouse_server.py", [CHDB_WHEEL], folder) as server:
            yield ClickHouseNode(http_port, native_port, password, server)


@contextlib.contextmanager
def clickhouse(more_users: str = "", memory_bytes: int = MEMORY_BYTES) -> Iterator[str]:
    """Serve an empty ClickHouse and yield the URL of a user with all rights on data.

    ``more_users`` is put into the ``users`` of users.xml: users can not be made with SQL here.
    """
    password = secrets.token_hex(8)
    with clickhouse_node(
        free_port(), free_port(), password, more_users=more_users, memory_bytes=memory_bytes
    ) as node:
        node.wait()
        yield node.url
