"""Two real ClickHouse servers for the tests that are the shards of one cluster."""

import contextlib
import secrets
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass

from tests.servers.chdb_node import (
    USER,
    ClickHouseNode,
    answers,
    clickhouse_node,
    clickhouse_query,
)
from tests.servers.processes import free_port, server_folder, supervised_program, wait_until

CLUSTER = "mindweave"
SHARD = """
<shard>
    <replica>
        <host>127.0.0.1</host>
        <port>{port}</port>
        <user>{user}</user>
        <password>{password}</password>
    </replica>
</shard>
"""


@dataclass
class ClickHouseCluster:
    """A running cluster: ``url`` is what its users get, ``nodes`` can be stopped and started."""

    url: str
    nodes: list[ClickHouseNode]


def _config(shard: int, native_ports: list[int], password: str) -> str:
    """Return what the config.xml of a node says about the cluster."""
    shards = "".join(SHARD.format(port=port, user=USER, password=password) for port in native_ports)
    macros = f"<cluster>{CLUSTER}</cluster><shard>{shard}</shard><replica>1</replica>"
    return (
        f"<remote_servers><{CLUSTER}>{shards}</{CLUSTER}></remote_servers><macros>{macros}</macros>"
    )


@contextlib.contextmanager
def clickhouse_nodes(more_users: str = "") -> Iterator[ClickHouseCluster]:
    """Serve a cluster of two shards, one replica each, whose nodes a test can stop and start.

    HTTP is a proxy's, which does for this build what ``ON CLUSTER`` is; the native port is the
    first node's.
    """
    password = secrets.token_hex(8)
    native_ports = [free_port(), free_port()]
    with contextlib.ExitStack() as running:
        nodes = [
            running.enter_context(
                clickhouse_node(
                    free_port(),
                    port,
                    password,
                    cluster=_config(shard, native_ports, password),
                    more_users=more_users,
                )
            )
            for shard, port in enumerate(native_ports, start=1)
        ]
        folder = running.enter_context(server_folder())
        http_port, node_ports = free_port(), [node.http_port for node in nodes]
        proxy = running.enter_context(
            supervised_program("on_cluster_proxy.py", [http_port, CLUSTER, *node_ports], folder)
        )
        first = nodes[0]
        url = ClickHouseNode(http_port, first.native_port, password, proxy).url
        for node in nodes:
            node.wait()
        wait_until(lambda: answers(url), proxy.is_running)
        yield ClickHouseCluster(f"{url}&cluster={CLUSTER}", nodes)


@contextlib.contextmanager
def clickhouse_cluster(more_users: str = "") -> Iterator[str]:
    """Serve an empty cluster and yield the URL of a user with all rights on data."""
    with clickhouse_nodes(more_users) as cluster:
        yield cluster.url


def drop_customer_databases(url: str) -> None:
    """Drop the databases of every customer, and of scenarios and diffs, on every node."""
    cluster = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query).get("cluster")
    databases = f"cluster('{cluster[0]}', system.databases)" if cluster else "system.databases"
    on_cluster = f"on cluster {cluster[0]}" if cluster else ""
    names = clickhouse_query(
        url,
        f"select distinct name from {databases} "
        "where match(name, '^(customer|restated|whatif|diff_base|diff_head)_')",
    )
    for name in names.splitlines():
        clickhouse_query(url, f"drop database if exists `{name}` {on_cluster} sync")
