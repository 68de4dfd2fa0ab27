"""What it takes to price calls on DuckDB, next to a bare copy of the same rows.

usage: python -m tests.bench.bench_pricing [--calls N] [--runs N]

Calls are made up, as the project's own model of deduplicated calls has them. Then the models price
them and sum them by day, run by dbt, each next to the least that any tool would do: a copy of the
table that is read, a `group by` of the same keys. Each figure is the median of N runs (default 3),
each in a process of its own.
"""

import argparse
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

from dlt_pipelines.config import Settings
from tests.bench.bench_engines import (
    COLUMNS_OF_CALLS,
    MARTS,
    STAGING,
    Costs,
    Engine,
    execute,
    in_process,
    prepare,
    report,
    run_models,
    run_sql,
    table_from,
    write_days,
)

SEEN = "int_calls__deduplicated"
PRICED = "int_calls__priced"
OF_THE_PRICE = {
    *("mcp_name", "mcp_call_count", "model_id", "list_cost_usd", "total_cost_usd"),
    *("pricing_status", "price_version", "usage_date", "last_usage_date"),
}
COLUMNS = {name: value for name, value in COLUMNS_OF_CALLS.items() if name not in OF_THE_PRICE} | {
    "request_id": "'req_011' || left(md5('request' || n), 20)",
    "last_observed_at": "called_at",
    "processed_at": "timestamp '2026-01-01'",
}
SUMS = """
    count(*) as total_calls,
    sum(input_tokens) as input_tokens,
    sum(cache_write_5m_tokens) as cache_write_5m_tokens,
    sum(cache_write_1h_tokens) as cache_write_1h_tokens,
    sum(cache_read_tokens) as cache_read_tokens,
    sum(output_tokens) as output_tokens,
    sum(list_cost_usd) as list_cost_usd,
    sum(total_cost_usd) as total_cost_usd
"""
KEYS_OF_MARTS = {
    "int_costs__daily": "usage_date, team_id, project, model_id, mcp_name",
    "cost_by_team_daily": "usage_date, team_id, model_id",
    "cost_by_project_daily": "usage_date, project, model_id",
    "cost_by_team": "date_trunc('month', usage_date), team_id, model_id",
}


def main() -> None:
    """Measure pricing, then the marts on top."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    a_day = arguments.calls // arguments.days
    costs: Costs = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="mindweave-bench-") as folder:
        home = Path(folder) / "duckdb"
        engine = Engine("duckdb", Settings(home, str(home / "mindweave.duckdb"), "bench"), None)
        files = write_days(Path(folder) / "parquet", COLUMNS, a_day, arguments.days, 0).first
        in_process(prepare, engine)
        names = [str(file) for file in files]
        fill = [
            f"truncate table {STAGING}.{SEEN}",
            f"insert into {STAGING}.{SEEN} by name select * from read_parquet({names})",
        ]
        in_process(execute, engine, fill)
        print(f"{a_day * arguments.days:,} calls, {arguments.runs} runs each", flush=True)
        for _ in range(arguments.runs):
            copy = table_from(engine, f"{MARTS}.bare", f"select * from {STAGING}.{SEEN}")
            costs["bare copy of the calls"].append(in_process(run_sql, engine, [copy]))
            run_models(engine, costs, "pricing: ", "--full-refresh", models=(PRICED,))
            for mart, keys in KEYS_OF_MARTS.items():
                query = f"select {keys}, {SUMS} from {STAGING}.{PRICED} group by all"
                bare = table_from(engine, f"{MARTS}.bare", query)
                costs[f"bare group by of {mart}"].append(in_process(run_sql, engine, [bare]))
            run_models(engine, costs, "marts: ", "--full-refresh", models=tuple(KEYS_OF_MARTS))
            run_models(engine, costs, "nothing new: ", models=(PRICED, *KEYS_OF_MARTS))
    report(costs)

    def median(name: str) -> float:
        return statistics.median(cost.seconds for cost in costs[name])

    bare_copy = median("bare copy of the calls")
    print(
        f"  pricing / bare copy {median(f'  pricing: {PRICED}') / bare_copy:32.2f} ×  (at most 4)"
    )
    for mart in KEYS_OF_MARTS:
        built = median(f"  marts: {mart}")
        print(f"  {mart} / bare group by {built / median(f'bare group by of {mart}'):20.2f} ×")


if __name__ == "__main__":
    main()
