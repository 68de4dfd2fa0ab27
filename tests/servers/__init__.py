"""Real database servers for the tests: started from pip wheels, gone when the tests are."""

from tests.servers.chdb_cluster import (
    ClickHouseCluster,
    clickhouse_cluster,
    clickhouse_nodes,
    drop_customer_databases,
)
from tests.servers.chdb_node import ClickHouseNode, answers, clickhouse, clickhouse_query
from tests.servers.postgresql import can_connect, postgres, postgres_database
from tests.servers.processes import server_identity

__all__ = [
    "ClickHouseCluster",
    "ClickHouseNode",
    "answers",
    "can_connect",
    "clickhouse",
    "clickhouse_cluster",
    "clickhouse_nodes",
    "clickhouse_query",
    "drop_customer_databases",
    "postgres",
    "postgres_database",
    "server_identity",
]
