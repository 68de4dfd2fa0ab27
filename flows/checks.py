"""Check what landed with Great Expectations, in a process of its own.

usage: python -m flows.checks < REQUEST     (one line of JSON in, one line of JSON out)

To import Great Expectations takes 4 to 8 seconds, so the process starts when a run does and is
ready once the rows have landed. It opens the warehouse only when it is told to, for reading, and
closes it before it answers: a DuckDB file has one writer, and dbt is next.
"""

import hashlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

import duckdb

from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import Warehouse, warehouse_at
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.expectations import has_suites, suites
from dlt_pipelines.landing import EXPECTATION_RESULTS
from dlt_pipelines.load import load_rows
from flows.ready_process import ReadyProcess, answers

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from sqlalchemy.engine import Engine

    from dlt_pipelines.clickhouse_warehouse import ClickHouseWarehouse
    from dlt_pipelines.duckdb_warehouse import DuckDBWarehouse
    from dlt_pipelines.postgres_warehouse import PostgresWarehouse

TIME_LIMIT_SECONDS = 15 * 60
COULD_NOT_BE_CHECKED = "could not be checked"

SQLALCHEMY_URLS = {
    "duckdb": "duckdb://",
    "postgres": "postgresql+psycopg2://",
    "clickhouse": "clickhousedb://",
}
NEW_ROWS = "select * from {raw_schema}.{table_name} where load_id = '{load_id}'"
COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}


class Dialect(StrEnum):
    """What Great Expectations does not know of."""

    DUCKDB = "duckdb"


@dataclass(frozen=True)
class CheckResult:
    """What became of one expectation on the rows of one load: counts, never a row's values."""

    source: str
    load_id: str
    table_name: str
    column_name: str | None
    expectation: str
    severity: str
    is_success: bool
    unexpected_count: int | None
    observed_value: str | None
    checked_at: datetime

    @property
    def check_id(self) -> str:
        """The same for the same check of the same load, whenever it is made."""
        parts = (self.load_id, self.table_name, self.column_name or "", self.expectation)
        return hashlib.sha256("|".join(parts).encode()).hexdigest()


class ChecksProcess(ReadyProcess):
    """The process that checks what landed."""

    def __init__(self, time_limit_seconds: float = TIME_LIMIT_SECONDS) -> None:
        """Start to import Great Expectations."""
        super().__init__("flows.checks")
        self._limit = time_limit_seconds

    def run(
        self, warehouse_url: str, raw_schema: str, loads: Sequence[tuple[str, str]]
    ) -> list[CheckResult]:
        """Check the rows of ``loads``, pairs of source and load id, and end the process.

        An expectation that fails is a result, not an error. Raises MindweaveError where the checks
        could not be made.
        """
        loads = [load for load in loads if has_suites(load[0])]
        if not loads:
            self.close()
            return []
        warehouse = warehouse_at(warehouse_url)
        request = {
            "warehouse_url": warehouse.url,
            "raw_schema": raw_schema,
            "loads": loads,
        }
        try:
            output = self.ask(json.dumps(request), self._limit)
        except subprocess.TimeoutExpired:
            raise MindweaveError(
                f"checking what landed took over {self._limit:.0f} s and was stopped: the rows "
                "are loaded, but not checked"
            ) from None
        if not output:
            raise MindweaveError(
                f"checking what landed ended with {self.status}: the rows are "
                "loaded, but not checked; `python -m flows.checks < /dev/null` may say why"
            )
        answer = json.loads(output)
        if "error" in answer:
            raise MindweaveError(answer["error"])
        return [
            CheckResult(**row | {"checked_at": datetime.fromisoformat(row["checked_at"])})
            for row in answer["results"]
        ]


def record_results(settings: Settings, results: Sequence[CheckResult]) -> None:
    """Add the results to the raw schema; of a repeated ``check_id`` the newest counts."""
    rows = [{"check_id": result.check_id, **asdict(result)} for result in results]
    if rows:
        load_rows(settings, "checks", EXPECTATION_RESULTS, rows)


def check_loads(
    warehouse: Warehouse, raw_schema: str, loads: Sequence[tuple[str, str]]
) -> list[CheckResult]:
    """Check the rows of ``loads`` in this process."""
    _prepare_great_expectations()
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource

    warehouse.query("select 1")  # says best why a warehouse cannot be reached
    checked_at = datetime.now(UTC).replace(tzinfo=None)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    results = []
    with _connections(warehouse) as connect:
        # we connect: no password in Great Expectations, and nothing stays open
        datasource = SQLDatasource(
            name=warehouse.engine,
            connection_string=SQLALCHEMY_URLS[warehouse.engine],
            kwargs={"creator": connect},
        )
        context.data_sources.add_sql(datasource=datasource)
        _keep_rows_in_the_warehouse(datasource.get_execution_engine().engine, raw_schema)
        for source, load_id in loads:
            for table_name, expectations in suites(source).items():
                query = NEW_ROWS.format(
                    raw_schema=raw_schema, table_name=table_name, load_id=load_id
                )
                asset = datasource.add_query_asset(f"{table_name}/{load_id}", query)
                rows = asset.add_batch_definition_whole_table("new rows").get_batch()
                suite = gx.ExpectationSuite(table_name, expectations=list(expectations))
                results += [
                    _check_result(result, source, load_id, table_name, checked_at)
                    for result in rows.validate(suite, result_format=COUNTS_ONLY).results
                ]
    return results


def _check_result(
    result: "ExpectationValidationResult",
    source: str,
    load_id: str,
    table_name: str,
    checked_at: datetime,
) -> CheckResult:
    from great_expectations.expectations.core.unexpected_rows_expectation import (
        UnexpectedRowsExpectation,
    )

    config, found = result.expectation_config, result.result
    if config is None:
        raise MindweaveError(f"an expectation on {table_name} has no configuration")
    unexpected, observed = found.get("unexpected_count"), found.get("observed_value")
    if "unexpected_count" in found:
        unexpected = unexpected or 0  # of no rows, a sum is null on some engines
    if isinstance(config.to_domain_obj(), UnexpectedRowsExpectation):
        unexpected, observed = observed, None
    if not found:
        for problem in result.exception_info.values():
            print(table_name, config.type, problem, file=sys.stderr)
        observed = COULD_NOT_BE_CHECKED
    elif not isinstance(observed, int | float):  # a text could be a row's
        observed = None
    return CheckResult(
        source=source,
        load_id=load_id,
        table_name=table_name,
        column_name=_column_name(config.kwargs),
        expectation=config.type,
        severity=config.severity.value,
        is_success=bool(result.success),
        unexpected_count=unexpected,
        observed_value=None if observed is None else str(observed),
        checked_at=checked_at,
    )


def _column_name(arguments: Mapping[str, Any]) -> str | None:
    """Return the column that an expectation is about, or its columns."""
    columns = [arguments[name] for name in ("column", "column_A", "column_B") if name in arguments]
    columns += arguments.get("column_list", [])
    return ", ".join(columns) or None


@contextmanager
def _connections(warehouse: Warehouse) -> Iterator[Callable[[], Any]]:
    """Yield what opens a connection for reading; close them all at the end."""
    opened: list[Any] = []

    def connect() -> Any:
        opened.append(_connect_for_reading(warehouse))
        return opened[-1]

    try:
        yield connect
    finally:
        for connection in opened:
            connection.close()


def _connect_for_reading(warehouse: Warehouse) -> Any:
    """Open a DB-API connection, fit for SQLAlchemy, that cannot write."""
    if warehouse.engine == "duckdb":
        from duckdb_engine import ConnectionWrapper

        path = cast("DuckDBWarehouse", warehouse).path
        return ConnectionWrapper(
            duckdb.connect(path, read_only=True, config={"autoinstall_known_extensions": False})
        )
    if warehouse.engine == "postgres":
        connection = cast("PostgresWarehouse", warehouse).connect()
        connection.set_session(readonly=True)
        return connection
    from clickhouse_connect import dbapi

    from dlt_pipelines.clickhouse_warehouse import SETTINGS

    server = cast("ClickHouseWarehouse", warehouse)
    settings: dict[str, Any] = SETTINGS | {"readonly": 2}  # 1 would forbid the other settings
    return dbapi.connect(**server.http_arguments, **settings)


def _keep_rows_in_the_warehouse(engine: "Engine", raw_schema: str) -> None:
    """Let Great Expectations learn a batch's columns from one row.

    For their names it runs the query of the batch, and PostgreSQL's and ClickHouse's drivers hold
    all rows of a result in memory.
    """
    from sqlalchemy import event

    all_rows = f"select * from {raw_schema}."

    def limit(
        connection: object, cursor: object, statement: str, parameters: object, *_: object
    ) -> tuple[str, object]:
        is_batch = statement.startswith(all_rows)
        return f"{statement} limit 1" if is_batch else statement, parameters

    event.listen(engine, "before_cursor_execute", limit, retval=True)


def _prepare_great_expectations() -> None:
    """Import Great Expectations, silent and fit for DuckDB."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations  # noqa: F401

    _keep_duckdb_connections()


def _keep_duckdb_connections() -> None:
    """Let Great Expectations fetch from DuckDB before it gives the connection back.

    It does so for the engines in this list. For others it fetches afterwards, when DuckDB's result
    is gone, and every expectation fails with "list index out of range".
    """
    from great_expectations.execution_engine import sqlalchemy_execution_engine as engine

    if "duckdb" not in engine._PERSISTED_CONNECTION_DIALECTS:
        engine._PERSISTED_CONNECTION_DIALECTS += (Dialect.DUCKDB,)  # type: ignore[assignment]


def main() -> None:
    """Answer the one request on standard input; end quietly where there is none."""
    channel = answers()
    _prepare_great_expectations()
    line = sys.stdin.readline()
    if not line:
        return
    request = json.loads(line)
    answer: dict[str, Any]
    try:
        results = check_loads(
            warehouse_at(request["warehouse_url"]), request["raw_schema"], request["loads"]
        )
        answer = {"results": [asdict(result) for result in results]}
    except MindweaveError as error:
        answer = {"error": str(error)}
    except Exception as error:
        traceback.print_exc()
        # not its text, which could quote a row
        answer = {
            "error": f"checking what landed failed ({type(error).__name__}): the rows are loaded, "
            "but not checked"
        }
    print(json.dumps(answer, default=datetime.isoformat), file=channel, flush=True)
    os._exit(0)  # to take down all that was imported lasts a second, and somebody waits


if __name__ == "__main__":
    main()
