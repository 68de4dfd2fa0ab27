"""How long a gateway's spend logs take from its PostgreSQL to the DuckDB warehouse.

usage: python -m tests.bench.bench_litellm [--records N] [--url URL] [--runs N]

N records (default 1,000,000), with metadata as the gateway writes it, are made up in a PostgreSQL
that is started for it, or in the database at URL, whose table "LiteLLM_SpendLogs" it replaces.
Each figure is the median of N runs (default 3). What PostgreSQL alone takes to write the same rows
out, with nobody reading them but a loop that drops them, says what holds the load back: it is one
process of its own, and on two cores the load has the other one.
"""

import argparse
import contextlib
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg2

from dlt_pipelines.config import Settings
from dlt_pipelines.load import load_source
from dlt_pipelines.sources.litellm.database import GatewayDatabase
from tests import servers
from tests.vendors.litellm import SPEND_LOGS_COLUMNS

WANTED = 150_000

RECORDS = """
insert into "LiteLLM_SpendLogs" (
    request_id, litellm_call_id, call_type, api_key, spend, total_tokens, prompt_tokens,
    completion_tokens, "startTime", "endTime", "completionStartTime", request_duration_ms, model,
    model_group, model_id, custom_llm_provider, api_base, "user", team_id, end_user, session_id,
    status, cache_hit, requester_ip_address, request_tags, metadata, messages, response,
    proxy_server_request, created_at, updated_at
)
select
    'msg_01' || left(md5(n::text), 22), md5('call' || n)::uuid::text, 'anthropic_messages',
    encode(sha256((n %% 500)::text::bytea), 'hex'), (n %% 100000) / 1e6, 36193, 36006, 187,
    at, at + interval '2841 ms', at + interval '1113 ms', 2841, 'claude-opus-4-5-20251101', 'opus',
    'd2c1b0', 'anthropic', 'https://api.anthropic.com/v1/messages', 'user-' || n %% 800,
    'team-' || n %% 40, '', md5('session' || n / 40)::uuid::text, 'success', 'False', '10.2.0.17',
    '["cost_center:eng-123"]',
    jsonb_build_object(
        'status', 'success', 'user_api_key_alias', 'key-' || n %% 500,
        'user_api_key_team_id', 'team-' || n %% 40, 'user_api_key_team_alias', 'team-' || n %% 40,
        'user_api_key_user_id', 'user-' || n %% 800,
        'user_api_key_user_email', 'user' || n %% 800 || '@example.org',
        'user_api_key_org_id', null, 'user_agent', 'claude-cli/2.1.0 (external, cli)',
        'attempted_retries', 0, 'batch_models', null, 'error_information', null,
        'spend_logs_metadata', null, 'mcp_tool_call_metadata', null,
        'used_client_oauth_token', false,
        'usage_object', jsonb_build_object(
            'prompt_tokens', 36006, 'completion_tokens', 187, 'total_tokens', 36193,
            'cache_read_input_tokens', 31800, 'cache_creation_input_tokens', 4200,
            'prompt_tokens_details', jsonb_build_object(
                'cached_tokens', 31800, 'cache_creation_tokens', 4200,
                'cache_creation_token_details', jsonb_build_object(
                    'ephemeral_5m_input_tokens', 4200, 'ephemeral_1h_input_tokens', 0
                )
            ),
            'completion_tokens_details', jsonb_build_object('reasoning_tokens', 0)
        ),
        'cost_breakdown', jsonb_build_object(
            'input_cost', 0.00003, 'cache_read_cost', 0.0159, 'cache_creation_cost', 0.042,
            'output_cost', 0.004675, 'original_cost', 0.062605, 'total_cost', 0.062605
        )
    ),
    '{}', '{}', '{}', at + interval '12 s', at + interval '12 s'
from (
    select n, timestamp '2026-01-01' + n * interval '2 s' as at from generate_series(1, %s) as n
) as numbers
"""


def main() -> None:
    """Make the records, load them and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--url", help="a PostgreSQL to use instead of one of its own")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        url = arguments.url or stack.enter_context(servers.postgres())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        make_records(url, arguments.records)
        measure(url, folder, arguments.records, arguments.runs)


def make_records(url: str, records: int) -> None:
    """Make the gateway's table and fill it."""
    described = ", ".join(f'"{name}" {kind}' for name, kind in SPEND_LOGS_COLUMNS.items())
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute('drop table if exists "LiteLLM_SpendLogs"')
        cursor.execute(f'create table "LiteLLM_SpendLogs" ({described})')
        cursor.execute(RECORDS, [records])
        cursor.execute('vacuum analyze "LiteLLM_SpendLogs"')
        cursor.execute("select pg_table_size('\"LiteLLM_SpendLogs\"') / 1e6")
        (size,) = cursor.fetchone()
    connection.close()
    print(f"{records:,} records, {size:,.0f} MB in PostgreSQL, {os.cpu_count()} cores\n")


def measure(url: str, folder: Path, records: int, runs: int) -> None:
    """Print what the ways and their parts take."""
    settings = Settings(folder, str(folder / "mindweave.duckdb"), "local")

    def load() -> None:
        shutil.rmtree(folder / "dlt", ignore_errors=True)
        Path(settings.warehouse_url).unlink(missing_ok=True)
        assert load_source(settings, "litellm", {"database_url": url}).counts.rows_loaded == records

    def again() -> None:
        assert load_source(settings, "litellm", {"database_url": url}).load_id is None

    def timed(name: str, work: Callable[[], None]) -> tuple[float, float]:
        seconds, cpu = median(runs, work)
        rate = records / seconds
        print(
            f"{name:32} {seconds:7.2f} s {rate:10,.0f} records/s {cpu:7.2f} s of our CPU",
            flush=True,
        )
        return seconds, cpu

    # the first also imports what it needs, and fills PostgreSQL's cache
    load()
    alone = timed("PostgreSQL writes the rows out", lambda: write_out(url))
    timed("… and they are read as columns", lambda: parse(url))
    whole = timed("the whole load", load)
    timed("a load with nothing new", again)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = records / whole[0]
    print(
        f"\nat most {peak:,.0f} MB of memory; at least {WANTED:,} records/s are wanted: {rate:,.0f}"
    )
    share = alone[0] / whole[0]
    is_starved = share <= 0.5 and whole[1] / whole[0] < 0.5
    holding = (
        "PostgreSQL" if share > 0.5 else "what else runs here" if is_starved else "our own work"
    )
    print(
        f"PostgreSQL alone takes {share:.0%} of the load; over the load we use "
        f"{whole[1] / whole[0]:.0%} of a core: {holding} holds it back"
    )


def median(runs: int, work: Callable[[], None]) -> tuple[float, float]:
    """Return the median seconds of ``work``, and of this process's CPU."""
    seconds, cpu = [], []
    for _ in range(runs):
        started, used = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    return statistics.median(seconds), statistics.median(cpu)


def write_out(url: str) -> None:
    """Have PostgreSQL write what the load reads, and drop it."""
    with contextlib.closing(GatewayDatabase(url, "public")) as database:
        for _ in database.blocks(database.spend_log_columns(), None, None):
            pass


def parse(url: str) -> None:
    """Read it as columns too."""
    with contextlib.closing(GatewayDatabase(url, "public")) as database:
        for _ in database.records(database.spend_log_columns(), None, None):
            pass


if __name__ == "__main__":
    main()
