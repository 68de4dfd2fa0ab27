"""SQL that changes a warehouse behind the project's back."""

import duckdb
import psycopg2

from dlt_pipelines.clickhouse_warehouse import ClickHouseWarehouse
from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import warehouse_at


def execute(settings: Settings, sql: str) -> None:
    """Run one statement as somebody who writes to the warehouse."""
    warehouse = warehouse_at(settings.warehouse_url)
    if isinstance(warehouse, ClickHouseWarehouse):
        warehouse.execute(sql)
    elif warehouse.engine == "duckdb":
        with duckdb.connect(settings.warehouse_url) as connection:
            connection.execute(sql)
    else:
        connection = psycopg2.connect(settings.warehouse_url)
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
        connection.close()
