"""Real servers for the tests: from pip wheels or installed, gone when the tests are."""

from tests.servers.chdb_cluster import (
    ClickHouseCluster,
    clickhouse_cluster,
    clickhouse_nodes,
    drop_customer_databases,
)
from tests.servers.chdb_node import ClickHouseNode, answers, clickhouse, clickhouse_query
from tests.servers.postgresql import can_connect, postgres, postgres_database
from tests.servers.processes import server_identity
from tests.servers.redis_server import RedisServer, redis_server

__all__ = [
    "ClickHouseCluster",
    "ClickHouseNode",
    "RedisServer",
    "answers",
    "can_connect",
    "clickhouse",
    "clickhouse_cluster",
    "clickhouse_nodes",
    "clickhouse_query",
    "drop_customer_databases",
    "postgres",
    "postgres_database",
    "redis_server",
    "server_identity",
]
