"""What the daily cost of teams and models takes on DuckDB, PostgreSQL and ClickHouse.

usage: python -m tests.bench.bench_engines [--calls N] [--days N] [--runs N] [--engines NAME...]

Priced calls are made up, written as Parquet and loaded into the tables that the project's own
models made, one engine after the other. Then each engine builds the day by team and model: in one
query by hand; in one that keeps projects and MCP servers apart, as the first of the two models
does; in the SQL of the two models, run by hand; and in the models, run by dbt. Then it does the
same for one more day of calls. Each figure is the median of N runs (default 3); CPU is the
server's, or of the process that has the DuckDB file open.

It needs some 700 bytes of disk a call, below the folder for temporary files, and runs PostgreSQL
as it comes. Leave the machine alone meanwhile: ratios are of one run, but not of one moment.
"""

import argparse
import functools
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg2

from dlt_pipelines.config import PROJECT_DIR, Settings
from dlt_pipelines.destinations import warehouse_at
from tests import servers, transcripts

BYTES_OF_A_CALL = 700
CLICKHOUSE_MEMORY = 12_000_000_000
FIRST_DAY = date(2025, 1, 1)
CALLS_OF_A_FILE = 1_000_000
CALLS_OF_A_TOOL_CALL = 10  # every so many calls one of them used an MCP tool

# two in a hundred calls are of a model without a price, one in fifty of a team that nobody knows
MODELS = """['claude-opus-4-5-20251101', 'claude-opus-4-1-20250805', 'claude-sonnet-4-5-20250929',
    'claude-sonnet-4-20250514', 'claude-haiku-4-5-20251001', 'claude-3-5-haiku-20241022']"""
COLUMNS_OF_CALLS = {
    "call_id": "'anthropic/msg_01' || left(md5('call' || n), 22)",
    "identity": "'strong'",
    "source": "'claude_code'",
    "source_count": "1",
    "observation_count": "1 + r % 3",
    "session_id": "cast(md5('session' || n // 40)::uuid as varchar)",
    "project": "'project-' || r % 40",
    "team_id": "if(r % 50 = 0, null, 'team-' || r % 40 // 2)",
    "user_id": "'person_' || left(md5('person' || n // 40 % 997), 16)",
    "vendor": "'anthropic'",
    "model_id": "model",
    "requested_model": "model",
    "mcp_name": f"if(n % {CALLS_OF_A_TOOL_CALL} = 0, 'server-' || r % 12, null)",
    "mcp_call_count": f"if(n % {CALLS_OF_A_TOOL_CALL} = 0, 1, 0)",
    "input_tokens": "r % 4000",
    "cache_write_5m_tokens": "r // 7 % 3000",
    "cache_write_1h_tokens": "if(r % 5 = 0, r // 11 % 9000, 0)",
    "cache_read_tokens": "r // 13 % 190000",
    "output_tokens": "r // 17 % 2500",
    "cache_write_assumed_tokens": "0",
    "web_search_requests": "if(r % 200 = 0, 1, 0)",
    "service_tier": "'standard'",
    "speed": "'standard'",
    "inference_geo": "'global'",
    "status": "'success'",
    "is_sidechain": "r % 9 = 0",
    "list_cost_usd": "cost",
    "total_cost_usd": "cost",
    "reported_cost_usd": "null",
    "pricing_status": "if(cost is null, 'unpriced', 'priced')",
    "price_version": "if(cost is null, null, model || '/standard/2025-09-29/1a2b3c4d')",
    "first_load_id": "md5('load' || day)",
    "called_at": "called_at",
    "usage_date": "cast(called_at as date)",
    "last_usage_date": "cast(called_at as date)",
    "processed_at": "timestamp '2027-01-01' + to_days(cast(day as int))",
}
COLUMNS_OF_TOOL_CALLS = {
    "tool_call_id": "'anthropic/toolu_01' || left(md5('tool' || n), 22)",
    "call_id": COLUMNS_OF_CALLS["call_id"],
    "previous_call_id": "null",
    "dedup_hash": "sha256('input' || r % 100000)",
    "mcp_name": COLUMNS_OF_CALLS["mcp_name"],
    "tool_name": "'tool_' || r % 30",
    "status": "'success'",
    "called_at": "called_at",
    "answered_at": "called_at + interval 3 seconds",
    "file_id": "md5('session' || n // 40)",
    "line_number": "n % 4000",
    "block_index": "1",
    "processed_at": COLUMNS_OF_CALLS["processed_at"],
}
TABLES = {
    "int_calls__priced": COLUMNS_OF_CALLS,
    "int_tool_calls__deduplicated": COLUMNS_OF_TOOL_CALLS,
}

MODELS_OF_THE_PATH = ("int_costs__daily", "cost_by_team_daily")
STAGING, MARTS = "customer_bench_staging", "customer_bench"
MEASURED_TABLES = [
    *((STAGING, table) for table in TABLES),
    (STAGING, "int_costs__daily"),
    (MARTS, "cost_by_team_daily"),
]
QUERY = """
    select
        usage_date,
        team_id,
        model_id,
        {more_keys}
        count(*) as total_calls,
        sum(input_tokens) as input_tokens,
        sum(cache_write_5m_tokens) as cache_write_5m_tokens,
        sum(cache_write_1h_tokens) as cache_write_1h_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(output_tokens) as output_tokens,
        sum(total_cost_usd) as total_cost_usd,
        sum(case when pricing_status = 'unpriced' then 1 else 0 end) as unpriced_calls
    from customer_bench_staging.int_calls__priced
    {where}
    group by usage_date, team_id, model_id {more_groups}
"""
BY_TEAM = {"more_keys": "", "more_groups": ""}
FINEST = {"more_keys": "project, mcp_name,", "more_groups": ", project, mcp_name"}
BY_HAND, FINEST_BY_HAND, BY_DBT = "one query by hand", "with project and server", "dbt, the models"
HAND_MADE = {BY_HAND: f"{MARTS}.by_hand", FINEST_BY_HAND: f"{MARTS}.finest_by_hand"}
TOTALS = """
    select
        cast(count(*) as bigint) as groups,
        cast(sum(total_calls) as bigint) as calls,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(unpriced_calls) as bigint) as unpriced_calls,
        cast(sum(total_cost_usd) as numeric(38, 15)) as total_cost_usd
    from {table}
"""
SIZES = {
    "postgres": "select pg_total_relation_size('{schema}.{table}') as bytes",
    "clickhouse": """
        select cast(sum(bytes_on_disk) as Int64) as bytes from system.parts
        where active and database = '{schema}' and table = '{table}'
    """,
    "duckdb": """
        select count(distinct block_id) * any_value(sizes.block_size) as bytes
        from pragma_storage_info('{schema}.{table}'), pragma_database_size() as sizes
        where block_id >= 0
    """,
}


@dataclass(frozen=True)
class Cost:
    """What something took."""

    seconds: float
    cpu_seconds: float | None = None


Costs = dict[str, list[Cost]]


@dataclass(frozen=True)
class DbtRun:
    """What dbt did: its models by name, and their SQL."""

    costs: dict[str, Cost]
    sql: dict[str, str]


@dataclass(frozen=True)
class Engine:
    """A warehouse, and the process that serves it; a DuckDB file is served by who opens it."""

    name: str
    settings: Settings
    server: int | None

    @contextmanager
    def measured(self, costs: list[Cost]) -> Iterator[None]:
        """Add what the block takes to ``costs``."""
        seconds, cpu = time.perf_counter(), self.cpu_seconds()
        yield
        costs.append(Cost(time.perf_counter() - seconds, self.cpu_seconds() - cpu))

    def cpu_seconds(self) -> float:
        """Return the CPU time so far, also of processes that the server started and that ended."""
        ticks = 0
        processes = [self.server or os.getpid()]
        while processes:
            folder = Path(f"/proc/{processes.pop()}")
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if self.server:
                    processes += children(folder)
            except (FileNotFoundError, ProcessLookupError):
                continue  # its parent has its time now
            ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        rows: list[dict[str, Any]] = (
            warehouse_at(self.settings.warehouse_url).query(sql).to_pylist()
        )
        return rows


def main() -> None:
    """Measure one engine after the other, then compare them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=50_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    arguments = parser.parse_args()
    a_day = arguments.calls // arguments.days
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < arguments.calls * BYTES_OF_A_CALL:
        raise SystemExit(f"{free / 1e9:.0f} GB free: too little for {arguments.calls:,} calls")
    print(
        f"{a_day * arguments.days:,} calls of {arguments.days} days, {os.cpu_count()} cores, "
        f"{arguments.runs} runs each"
    )
    totals = {}
    with tempfile.TemporaryDirectory(prefix="mindweave-bench-") as folder:
        parquet = Path(folder) / "parquet"
        files = {
            table: write_days(parquet / table, columns, a_day, arguments.days, arguments.runs)
            for table, columns in TABLES.items()
        }
        written = sum(file.stat().st_size for file in parquet.rglob("*.parquet"))
        print(f"{written / 1e6:,.1f} MB of Parquet\n", flush=True)
        for name in arguments.engines:
            with ENGINES[name](Path(folder) / name) as engine:
                totals[name] = bench(engine, files, arguments.runs)
    different = [name for name, found in totals.items() if found != totals[arguments.engines[0]]]
    if different:
        raise SystemExit(f"the totals differ: {totals}")
    print("the totals of all engines and ways are equal")


def bench(engine: Engine, files: dict[str, "Days"], runs: int) -> dict[str, Any]:
    """Print what everything takes on one engine; return the totals of its mart."""
    print(engine.name, flush=True)
    in_process(prepare, engine)
    in_process(execute, engine, [f"truncate table {STAGING}.{table}" for table in TABLES])
    report({"load in bulk": [in_process(load, engine, files, "all days")]})

    costs: Costs = defaultdict(list)
    for _ in range(runs):
        for name, parts in ((BY_HAND, BY_TEAM), (FINEST_BY_HAND, FINEST)):
            statement = table_from(engine, HAND_MADE[name], QUERY.format(where="", **parts))
            costs[name].append(in_process(run_sql, engine, [statement]))
        sql = run_models(engine, costs, "", "--full-refresh")
        costs["SQL of the models by hand"].append(
            total(
                in_process(run_sql, engine, [table_from(engine, f"{STAGING}.again", compiled)])
                for compiled in sql
            )
        )
    assert_equal_totals(engine)
    report(costs)
    by_dbt, by_hand, finest = (
        statistics.median(cost.seconds for cost in costs[name])
        for name in (BY_DBT, BY_HAND, FINEST_BY_HAND)
    )
    wanted = "" if engine.name == "postgres" else "  (at most 2)"
    print(f"  {f'{BY_DBT} / {BY_HAND}':42} {by_dbt / by_hand:8.2f} ×{wanted}")
    print(f"  {f'{BY_DBT} / {FINEST_BY_HAND}':42} {by_dbt / finest:8.2f} ×")
    sizes = [(schema, table, size(engine, schema, table)) for schema, table in MEASURED_TABLES]
    for _, table, found in sizes:
        print(f"  {table:42} {found / 1e6:8,.1f} MB on disk")

    costs = defaultdict(list)
    for day in files["int_calls__priced"].later:
        in_process(load, engine, files, day)
        where = f"where usage_date = date '{day}'"
        again = [
            f"delete from {HAND_MADE[BY_HAND]} {where}",
            f"insert into {HAND_MADE[BY_HAND]} {QUERY.format(where=where, **BY_TEAM)}",
        ]
        costs[f"one more day: {BY_HAND}"].append(in_process(run_sql, engine, again))
        run_models(engine, costs, "one more day: ")
    report(costs)
    print()
    return assert_equal_totals(engine)


def run_models(
    engine: Engine,
    costs: Costs,
    prefix: str,
    *arguments: str,
    models: Sequence[str] = MODELS_OF_THE_PATH,
) -> list[str]:
    """Run models with dbt and add to ``costs``; return their SQL."""
    started = time.perf_counter()
    run = in_process(run_dbt, engine, models, *arguments)
    seconds = time.perf_counter() - started
    costs[prefix + BY_DBT].append(total(run.costs.values()))
    for name, cost in run.costs.items():
        costs[f"  {prefix}{name}"].append(cost)
    costs[f"  {prefix}the whole command"].append(Cost(seconds))
    return list(run.sql.values())


def report(costs: Costs) -> None:
    """Print the medians."""
    for name, found in costs.items():
        seconds = [cost.seconds for cost in found]
        spread = f"({min(seconds):.2f}–{max(seconds):.2f})"
        line = f"  {name:42} {statistics.median(seconds):8.2f} s  {spread:18}"
        cpu = [cost.cpu_seconds for cost in found if cost.cpu_seconds is not None]
        print(f"{line} {statistics.median(cpu):8.2f} s of CPU" if cpu else line, flush=True)


def total(costs: Iterable[Cost]) -> Cost:
    costs = list(costs)
    return Cost(sum(c.seconds for c in costs), sum(c.cpu_seconds or 0 for c in costs))


# --- the calls ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Days:
    """Files of one table: all days at first, and single days to add later."""

    first: list[Path]
    later: dict[date, Path]

    def of(self, day: date | str) -> list[Path]:
        return [self.later[day]] if isinstance(day, date) else self.first


def write_days(
    folder: Path, columns: dict[str, str], calls_a_day: int, days: int, later: int
) -> Days:
    """Write the rows of ``days`` days in a few files, and of ``later`` more days in one each."""
    folder.mkdir(parents=True)
    days_a_file = max(1, CALLS_OF_A_FILE // calls_a_day)
    first = [
        write_rows(folder, columns, calls_a_day, day, min(day + days_a_file, days))
        for day in range(0, days, days_a_file)
    ]
    return Days(
        first,
        {
            FIRST_DAY + timedelta(days=day): write_rows(folder, columns, calls_a_day, day, day + 1)
            for day in range(days, days + later)
        },
    )


def write_rows(
    folder: Path, columns: dict[str, str], calls_a_day: int, from_day: int, to_day: int
) -> Path:
    """Write the rows of some days; the same number always makes the same row."""
    path = folder / f"{from_day:05}.parquet"
    only = f"where n % {CALLS_OF_A_TOOL_CALL} = 0" if columns is COLUMNS_OF_TOOL_CALLS else ""
    values = ", ".join(f"{value} as {name}" for name, value in columns.items())
    with open_duckdb() as connection:
        connection.execute(
            f"""
            copy (
                with numbers as (
                    select
                        range as n,
                        range // {calls_a_day} as day,
                        cast(hash(range) // 2 as bigint) as r
                    from range({from_day * calls_a_day}, {to_day * calls_a_day})
                ),
                calls as (
                    select
                        *,
                        if(r % 50 = 1, 'claude-next', {MODELS}[1 + r // 3 % 6]) as model,
                        timestamp '{FIRST_DAY}' + to_days(cast(day as int))
                            + to_milliseconds(r % 86400000) as called_at
                    from numbers
                ),
                costs as (
                    select
                        *,
                        if(
                            model = 'claude-next',
                            null,
                            cast(r % 4000 * 3 + r // 17 % 2500 * 15 as decimal(18, 0)) * 0.000001
                        ) as cost
                    from calls
                )
                select {values} from costs {only}
            ) to '{path}' (format parquet)
            """
        )
    return path


def open_duckdb(path: str | Path = ":memory:") -> duckdb.DuckDBPyConnection:
    """Open DuckDB without the bar that it draws for a long statement."""
    connection = duckdb.connect(path)
    connection.execute("set enable_progress_bar = false")
    return connection


# --- the engines -------------------------------------------------------------------------------


@contextmanager
def duckdb_engine(home: Path) -> Iterator[Engine]:
    home.mkdir()
    yield Engine("duckdb", Settings(home, str(home / "mindweave.duckdb"), "bench"), None)
    shutil.rmtree(home)


@contextmanager
def postgres_engine(home: Path) -> Iterator[Engine]:
    with served("postgres", home, servers.postgres) as engine:
        yield engine


@contextmanager
def clickhouse_engine(home: Path) -> Iterator[Engine]:
    server = functools.partial(servers.clickhouse, memory_bytes=CLICKHOUSE_MEMORY)
    with served("clickhouse", home, server) as engine:
        yield engine


@contextmanager
def served(name: str, home: Path, server: Callable[[], Any]) -> Iterator[Engine]:
    """Yield an engine with a server of its own."""
    home.mkdir()
    others = children(Path("/proc/self"))
    with server() as url:
        [process] = set(children(Path("/proc/self"))) - set(others)
        yield Engine(name, Settings(home, url, "bench"), process)


ENGINES = {"duckdb": duckdb_engine, "postgres": postgres_engine, "clickhouse": clickhouse_engine}


def children(process: Path) -> list[int]:
    """Return the processes that a process of one thread started."""
    process = process.resolve()
    return [
        int(child) for child in (process / "task" / process.name / "children").read_text().split()
    ]


def size(engine: Engine, schema: str, table: str) -> int:
    """Return the bytes on disk of a table."""
    if engine.name == "duckdb":
        in_process(run_sql, engine, ["checkpoint"])
    [row] = engine.query(SIZES[engine.name].format(schema=schema, table=table))
    return int(row["bytes"])


def assert_equal_totals(engine: Engine) -> dict[str, Any]:
    """Return what the mart adds up to; end where the query by hand says something else."""
    [mart], [hand] = (
        engine.query(TOTALS.format(table=table))
        for table in (f"{MARTS}.cost_by_team_daily", HAND_MADE[BY_HAND])
    )
    if mart != hand:
        raise SystemExit(f"{engine.name}: the mart has {mart}, the query by hand {hand}")
    return mart


def table_from(engine: Engine, name: str, query: str) -> str:
    """Return the statement that makes a table of a query."""
    kind = "engine = MergeTree order by tuple()" if engine.name == "clickhouse" else ""
    return f"create table {name} {kind} as {query}"


# --- what runs in a process of its own, so that DuckDB's CPU and memory are only the engine's ---


def in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what ``function`` returns in a new process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


def prepare(engine: Engine) -> None:
    """Let the project make its tables from one transcript."""
    path = engine.settings.home / "transcripts" / "one.jsonl"
    transcripts.write(path, transcripts.answer())
    transcripts.load(engine.settings, path.parent)
    invoke_dbt(
        engine,
        "build",
        *("--select", f"+{MODELS_OF_THE_PATH[-1]}"),
        *("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
    )


def load(engine: Engine, files: dict[str, Days], days: date | str) -> Cost:
    """Load days of all tables."""
    costs: list[Cost] = []
    with engine.measured(costs):
        for table, found in files.items():
            LOADERS[engine.name](engine, f"{STAGING}.{table}", found.of(days))
    if engine.name == "postgres":
        execute(engine, [f"analyze {STAGING}.{table}" for table in files])
    return costs[0]


def load_duckdb(engine: Engine, table: str, paths: list[Path]) -> None:
    names = [str(path) for path in paths]
    execute(engine, [f"insert into {table} by name select * from read_parquet({names})"])


def load_postgres(engine: Engine, table: str, paths: list[Path]) -> None:
    columns = ", ".join(TABLES[table.split(".")[1]])
    csv = engine.settings.home / "rows.csv"
    with psycopg2.connect(engine.settings.warehouse_url) as connection:
        for path in paths:
            with open_duckdb() as reader:
                reader.execute(f"copy (from '{path}') to '{csv}' (format csv, header false)")
            with connection.cursor() as cursor, csv.open() as rows:
                cursor.copy_expert(f"copy {table} ({columns}) from stdin (format csv)", rows)
            csv.unlink()
    connection.close()


def load_clickhouse(engine: Engine, table: str, paths: list[Path]) -> None:
    warehouse: Any = warehouse_at(engine.settings.warehouse_url)
    for path in paths:
        with path.open("rb") as rows:
            warehouse.client.raw_insert(table, insert_block=rows, fmt="Parquet")


LOADERS = {"duckdb": load_duckdb, "postgres": load_postgres, "clickhouse": load_clickhouse}


def run_sql(engine: Engine, statements: list[str]) -> Cost:
    """Run statements; the first one's table may be there."""
    first = statements[0].split()
    if first[:2] == ["create", "table"]:
        execute(engine, [f"drop table if exists {first[2]}"])
    costs: list[Cost] = []
    execute(engine, statements, costs)
    return total(costs)


def execute(engine: Engine, statements: list[str], costs: list[Cost] | None = None) -> None:
    """Run statements and say what each took, to connect not included."""
    costs = [] if costs is None else costs
    warehouse: Any = warehouse_at(engine.settings.warehouse_url)
    if engine.name == "duckdb":
        with open_duckdb(warehouse.path) as connection:
            for statement in statements:
                with engine.measured(costs):
                    connection.execute(statement)
    elif engine.name == "postgres":
        connection = psycopg2.connect(engine.settings.warehouse_url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                with engine.measured(costs):
                    cursor.execute(statement)
        connection.close()
    else:
        warehouse.query("select 1")
        for statement in statements:
            with engine.measured(costs):
                warehouse.execute(statement)


def run_dbt(engine: Engine, models: Sequence[str], *arguments: str) -> DbtRun:
    """Run models; say what each took."""
    marks: dict[tuple[str, str], Cost] = {}

    def note(event: Any) -> None:
        if event.info.name in ("NodeStart", "NodeFinished"):
            node = event.data.node_info.node_name
            marks[node, event.info.name] = Cost(time.perf_counter(), engine.cpu_seconds())

    results = invoke_dbt(engine, "run", "--select", *models, *arguments, callbacks=[note])
    sql = {result.node.name: result.node.compiled_code for result in results}
    costs = {}
    for name in models:
        start, end = marks[name, "NodeStart"], marks[name, "NodeFinished"]
        cpu_seconds = (end.cpu_seconds or 0) - (start.cpu_seconds or 0)
        costs[name] = Cost(end.seconds - start.seconds, cpu_seconds)
    return DbtRun(costs, {name: sql[name] for name in models})


def invoke_dbt(engine: Engine, *arguments: str, callbacks: Any = ()) -> Any:
    os.environ |= {
        "DO_NOT_TRACK": "1",
        "MINDWEAVE_CUSTOMER": engine.settings.customer,
        **warehouse_at(engine.settings.warehouse_url).dbt_environment(),
    }
    from dbt.cli.main import dbtRunner

    folder = engine.settings.home / "dbt"
    result = dbtRunner(callbacks=list(callbacks)).invoke(
        [
            *("--quiet", "--no-use-colors", "--no-version-check", "--log-level", "none"),
            *arguments,
            *(f"--project-dir={PROJECT_DIR}", f"--profiles-dir={PROJECT_DIR}"),
            *(f"--target-path={folder}", f"--log-path={folder}"),
        ]
    )
    nodes = getattr(result.result, "results", [])
    if not result.success:
        failed = [f"{node.node.name}: {node.message}" for node in nodes if node.message]
        raise RuntimeError(f"dbt failed on {engine.name}: {result.exception or failed}")
    return nodes


if __name__ == "__main__":
    main()
