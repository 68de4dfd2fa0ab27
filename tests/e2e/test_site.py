"""The built site in a real browser, with no network: every number on it is the mart's."""

import contextlib
import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from flows.publish import SITE_MARTS, publish

pytestmark = pytest.mark.usefixtures("browser")

WIDTHS = {"desktop": (1440, 1000), "phone": (390, 844)}
PAGES = {"overview": "/", "data-quality": "/data-quality/"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

MEASURES = """
    total_calls bigint, input_tokens bigint, cache_write_5m_tokens bigint,
    cache_write_1h_tokens bigint, cache_read_tokens bigint, output_tokens bigint,
    total_cost_usd decimal(38, 15), avg_cost_per_call_usd decimal(38, 15),
    duplicate_calls bigint, duplicate_cost_usd decimal(38, 15), unpriced_calls bigint
"""
EMPTY_MARTS = f"""
    create table {{schema}}.cost_by_team_daily
        (usage_date date, customer_id text, team_id text, model_id text, {MEASURES});
    create table {{schema}}.cost_by_team
        (period date, customer_id text, team_id text, model_id text, {MEASURES});
    create table {{schema}}.cost_by_project_daily
        (usage_date date, customer_id text, project text, model_id text, {MEASURES});
    create table {{schema}}.cost_by_mcp_daily
        (usage_date date, customer_id text, mcp_name text, model_id text, {MEASURES},
        mcp_tool_calls bigint);
    create table {{schema}}.unpriced_usage
        (customer_id text, vendor text, model_id text, first_seen_at timestamp,
        last_seen_at timestamp, total_calls bigint, input_tokens bigint,
        cache_write_5m_tokens bigint, cache_write_1h_tokens bigint, cache_read_tokens bigint,
        output_tokens bigint);
    create table {{schema}}.load_report
        (load_id text, customer_id text, source text, started_at timestamp, finished_at timestamp,
        seconds double, files_read bigint, rows_read bigint, rows_loaded bigint,
        rows_merged bigint, rows_weak bigint, rows_ignored bigint, rows_quarantined bigint,
        bytes_read bigint);
    create table {{schema}}.landing_checks
        (check_id text, customer_id text, source text, load_id text, table_name text,
        column_name text, expectation text, is_success boolean, unexpected_count bigint,
        observed_value text, checked_at timestamp);
    create table {{schema}}.data_freshness
        (customer_id text, source text, time_zone text, billing_currency text,
        first_called_at timestamp, last_called_at timestamp, last_loaded_at timestamp,
        as_of_date date);
    create table {{schema}}.mcp_calls (call_id text, user_id text);
    insert into {{schema}}.mcp_calls values ('canary-call', 'canary-user');
"""

# 75 days of calls; the same call is counted by team, by project and by MCP server
FILLED_MARTS = """
    create temp macro pick(n, salt, size) as 1 + cast(hash(n, salt) % size as bigint);

    create temp table calls as
    select
        date '2026-09-09' + cast(n // 40 as integer) as usage_date,
        ['platform', 'data-science', 'support', 'mobile', 'unallocated'][pick(n, 1, 5)]
            as team_id,
        ['checkout-api', 'fraud-model', 'helpdesk-bot', 'ios-app', 'android-app', 'etl-jobs',
        'search-ranking', 'a-very-long-project-name-that-somebody-once-chose',
        'design-system', 'billing', 'docs', 'unallocated'][pick(n, 2, 12)] as project,
        ['github', 'postgres', 'jira', 'browser', 'unallocated', 'unallocated'][pick(n, 3, 6)]
            as mcp_name,
        pick(n, 4, 9) as model_number,
        pick(n, 5, 3) as call_count,
        1000 + pick(n, 6, 90000) as some_tokens
    from (select unnest(range(3000)) as n);

    create temp table priced as
    select
        *,
        ['claude-opus-4-5', 'claude-sonnet-4-5', 'claude-haiku-4-5', 'claude-opus-4-1',
        'claude-sonnet-4', 'claude-3-7-sonnet', 'claude-3-5-haiku', 'claude-3-haiku',
        'internal-preview'][model_number] as model_id,
        case when model_number < 9 then
            cast(some_tokens * (12 - model_number) * 0.00000137 as decimal(38, 15))
        end as cost_usd
    from calls;
"""
MEASURE_SUMS = """
    sum(call_count), sum(some_tokens), sum(some_tokens) * 2, 0, sum(some_tokens) * 9,
    sum(some_tokens) * 3, sum(cost_usd), null, null, null,
    coalesce(sum(call_count) filter (cost_usd is null), 0)
"""
FILLED_MARTS += "".join(
    f"insert into {{schema}}.{mart} select {day}, 'acme', {thing}, model_id, {MEASURE_SUMS}{extra}"
    f" from priced group by {day}, {thing}, model_id;\n"
    for mart, day, thing, extra in (
        ("cost_by_team_daily", "usage_date", "team_id", ""),
        ("cost_by_team", "date_trunc('month', usage_date)", "team_id", ""),
        ("cost_by_project_daily", "usage_date", "project", ""),
        ("cost_by_mcp_daily", "usage_date", "mcp_name", ", sum(if(mcp_name = 'unallocated', 0, call_count))"),
    )
)
FILLED_MARTS += """
    insert into {schema}.unpriced_usage
    select
        'acme', 'anthropic', model_id, min(usage_date), max(usage_date), sum(call_count),
        sum(some_tokens), sum(some_tokens) * 2, 0, sum(some_tokens) * 9, sum(some_tokens) * 3
    from priced where cost_usd is null group by model_id;

    insert into {schema}.load_report
    select
        'load-' || n, 'acme', 'claude_code', timestamp '2026-11-22 09:00:03' - n * interval 1 hour,
        timestamp '2026-11-22 09:00:05' - n * interval 1 hour, 1.9 + n, 4 + n, 1200 + n, 1100,
        80 + n, 0, 17, case when n % 3 = 0 then 3 else 0 end, 4500000 + n * 1000
    from (select unnest(range(26)) as n);

    insert into {schema}.landing_checks
    select
        'check-' || n, 'acme', 'claude_code', 'load-0', 'model_calls',
        ['message_id', 'called_at', 'input_tokens', 'output_tokens'][1 + n % 4],
        ['expect_column_values_to_not_be_null', 'expect_column_values_to_be_between'][1 + n % 2],
        n <> 3, case when n = 3 then 2 else 0 end, case when n = 3 then '-4' end,
        timestamp '2026-11-22 09:00:06'
    from (select unnest(range(7)) as n);

    insert into {schema}.data_freshness values (
        'acme', 'claude_code', 'Europe/Berlin', 'USD', timestamp '2026-09-09 07:12:00',
        timestamp '2026-11-22 08:41:00', timestamp '2026-11-22 09:00:05', date '2026-11-22'
    );
"""


@dataclass(frozen=True)
class Site:
    """A published site, served, and the warehouse that it came from."""

    folder: Path
    url: str
    warehouse: duckdb.DuckDBPyConnection


def make_warehouse(path: Path, schema: str, *, is_filled: bool) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path))
    connection.execute(f"create schema {schema};" + EMPTY_MARTS.format(schema=schema))
    if is_filled:
        connection.execute(FILLED_MARTS.format(schema=schema))
    return connection


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
