"""The built site in a real browser, with no network: every number on it is the mart's."""

import contextlib
import csv
import functools
import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import duckdb
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from flows.publish import REPORTS_DIR, SITE_MARTS, publish

WIDTHS = {"desktop": 1440, "tablet": 768, "phone": 390}
PAGES = {
    "overview": "/",
    "teams": "/teams/",
    "models": "/models/",
    "mcp-servers": "/mcp-servers/",
    "projects": "/projects/",
    "hivemind": "/hivemind/",
    "reconciliation": "/reconciliation/",
    "metrics": "/metrics/",
    "data-quality": "/data-quality/",
}
LOOKS: tuple[tuple[str, Literal["light", "dark"]], ...] = (
    ("tablet", "light"),
    ("desktop", "light"),
    ("phone", "light"),
    ("phone", "dark"),
    ("desktop", "dark"),
)
# A4 without its margins, in the pixels of a printer
PAPER = 687
WHITE = "rgb(255, 255, 255)"
CUT_OFF = """
    [...document.querySelectorAll('article *')]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
        .map((element) => element.outerHTML)
"""
AXE = Path(str(files("axe_playwright_python") / "axe.min.js"))
MANIFEST = Path(__file__).parent.parent / "fixtures" / "site" / "manifest.json"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_SETTINGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

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
    create table {{schema}}.cost_month_to_date
        (period date, through_date date, is_whole_day boolean, customer_id text, team_id text,
        model_id text, total_calls bigint, total_cost_usd decimal(38, 15), unpriced_calls bigint,
        previous_calls bigint, previous_cost_usd decimal(38, 15),
        previous_month_cost_usd decimal(38, 15), forecast_cost_usd decimal(38, 15));
    create table {{schema}}.mcp_tools_daily
        (usage_date date, customer_id text, mcp_name text, tool_name text, mcp_tool_calls bigint,
        failed_tool_calls bigint, timed_tool_calls bigint, latency_ms bigint,
        longest_latency_ms bigint, allocated_cost_usd decimal(38, 15));
    create table {{schema}}.mcp_servers
        (mcp_server_id text, customer_id text, mcp_name text, registry_name text, status text,
        newest_version text, mcp_tool_calls bigint, failed_tool_calls bigint,
        first_called_at timestamp, last_called_at timestamp);
    create table {{schema}}.hivemind_patterns
        (pattern_hash text, customer_id text, pattern_kind text, request_count bigint,
        call_count bigint, team_count bigint, user_count bigint, confidence decimal(12, 9),
        confidence_error decimal(12, 9), first_seen_at timestamp, last_seen_at timestamp,
        total_cost_usd decimal(38, 15), avoidable_cost_usd decimal(38, 15), unpriced_calls bigint,
        mcp_name text, tool_name text, suggestion text, suggestion_rule text);
    create table {{schema}}.hivemind_team_pairs
        (pattern_kind text, team_id text, other_team_id text, customer_id text,
        pattern_count bigint, request_count bigint, repeated_cost_usd decimal(38, 15));
    create table {{schema}}.hivemind_templates
        (template_hash text, customer_id text, content_kind text, template_kind text,
        dedup_hash text, shingle_count bigint, fingerprint_count bigint, request_count bigint,
        team_count bigint, share decimal(12, 9));
    create table {{schema}}.invoice_ladder
        (period date, customer_id text, vendor text, step_number bigint, step text,
        step_type text, amount_usd decimal(38, 15), running_total_usd decimal(38, 15));
    create table {{schema}}.reconciliation_daily
        (usage_date date, customer_id text, vendor text, status text, reason text,
        compared_rows bigint, computed_cost_usd decimal(38, 15),
        vendor_net_cost_usd decimal(38, 15), difference_usd decimal(38, 15),
        absolute_difference_usd decimal(38, 15), unexplained_usd decimal(38, 15));
    create table {{schema}}.model_price_changes
        (customer_id text, vendor text, model_id text, prompt_tokens_above bigint,
        token_type text, valid_from_date date, reason text, previous_price_usd decimal(38, 15),
        price_usd decimal(38, 15));
    create table {{schema}}.ledger_by_month
        (billing_period date, charge_period date, customer_id text, reason text,
        is_closed boolean, total_calls bigint, unpriced_calls bigint,
        total_cost_usd decimal(38, 15), closed_at timestamp);
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
        as_of_date date, through_date date);
    create table {{schema}}.mcp_calls (call_id text, user_id text);
    insert into {{schema}}.mcp_calls values ('canary-call', 'canary-user');
    create schema customer_other;
    create table customer_other.cost_by_team_daily as select 'canary-team' as team_id;
"""

# 75 days of calls; the same call is counted by team, by project and by MCP server
FILLED_MARTS = """
    create temp macro pick(n, salt, size) as 1 + cast(hash(n, salt) % size as bigint);

    create temp table calls as
    select
        date '2026-09-09' + cast(n // 40 as integer) as usage_date,
        ['platform', 'data-science', '=1+1', 'mobile', 'unallocated'][pick(n, 1, 5)]
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
        (
            "cost_by_mcp_daily",
            "usage_date",
            "mcp_name",
            ", sum(if(mcp_name = 'unallocated', 0, call_count))",
        ),
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
        'canary-load-' || n, 'acme', 'claude_code',
        timestamp '2026-11-22 09:00:03' - n * interval 1 hour,
        timestamp '2026-11-22 09:00:05' - n * interval 1 hour, 1.9 + n, 4 + n, 1200 + n, 1100,
        80 + n, 0, 17, case when n % 3 = 0 then 3 else 0 end, 4500000 + n * 1000
    from (select unnest(range(26)) as n);

    insert into {schema}.landing_checks
    select
        'canary-check-' || n, 'acme', 'claude_code', 'canary-load-0', 'model_calls',
        ['message_id', 'called_at', 'input_tokens', 'output_tokens'][1 + n % 4],
        ['expect_column_values_to_not_be_null', 'expect_column_values_to_be_between'][1 + n % 2],
        n <> 3, case when n = 3 then 2 else 0 end, case when n = 3 then '-4' end,
        timestamp '2026-11-22 09:00:06'
    from (select unnest(range(7)) as n);

    insert into {schema}.data_freshness values (
        'acme', 'claude_code', 'Europe/Berlin', 'USD', timestamp '2026-09-09 07:12:00',
        timestamp '2026-11-22 08:41:00', timestamp '2026-11-22 09:00:05', date '2026-11-22',
        date '2026-11-21'
    );

    insert into {schema}.cost_month_to_date
    select
        date '2026-11-01', date '2026-11-21', true, 'acme', team_id, model_id,
        sum(total_calls) filter (usage_date >= '2026-11-01'),
        sum(total_cost_usd) filter (usage_date >= '2026-11-01'),
        sum(unpriced_calls) filter (usage_date >= '2026-11-01'),
        sum(total_calls) filter (usage_date between '2026-10-01' and '2026-10-21'),
        sum(total_cost_usd) filter (usage_date between '2026-10-01' and '2026-10-21'),
        sum(total_cost_usd) filter (usage_date < '2026-11-01'),
        coalesce(sum(total_cost_usd) filter (usage_date >= '2026-11-01'), 0) + 1.5
    from {schema}.cost_by_team_daily
    where usage_date between '2026-10-01' and '2026-11-21'
    group by team_id, model_id;

    insert into {schema}.mcp_tools_daily
    select
        usage_date, 'acme', mcp_name, 'tool-' || model_number, sum(call_count), count(*) // 3,
        count(*), sum(some_tokens), max(some_tokens), sum(cost_usd)
    from priced
    where mcp_name <> 'unallocated'
    group by usage_date, mcp_name, model_number;

    insert into {schema}.mcp_servers
    select
        'canary-server-' || mcp_name, 'acme', mcp_name, null, 'not_in_registry', null,
        sum(mcp_tool_calls), 0, min(usage_date), max(usage_date)
    from {schema}.mcp_tools_daily
    group by mcp_name
    union all
    select
        'canary-server', 'acme', null, 'a/never-called', 'active', '1.0', 0, 0, null, null;

    insert into {schema}.hivemind_patterns
    select
        'pattern' || n, 'acme', case when n % 3 = 0 then 'tool_call' else 'prompt' end, 2 + n,
        3 + n, 2, 2, 1 - n * 0.01, null, timestamp '2026-11-02 08:00:00',
        timestamp '2026-11-20 08:00:00' + n * interval 1 hour, 1.25 * n, 0.755 * n, 0,
        case when n % 3 = 0 then 'github' end, case when n % 3 = 0 then 'search_code' end,
        case when n % 3 = 0 then 'cached_tool_result' else 'shared_prompt' end,
        'why ' || n % 3
    from (select unnest(range(1, 20)) as n);
    insert into {schema}.hivemind_patterns values
        ('other', 'acme', 'prompt', 2, 2, 1, 1, null, null, timestamp '2026-11-02 08:00:00',
        timestamp '2026-11-03 08:00:00', 1, 0.5, 0, null, null, null, null);
    insert into {schema}.hivemind_team_pairs values
        ('prompt', 'data-science', 'platform', 'acme', 5, 14, 3.25),
        ('prompt', 'mobile', 'platform', 'acme', 2, 5, null),
        ('tool_call', 'data-science', 'mobile', 'acme', 1, 2, 0.5);

    insert into {schema}.invoice_ladder values
        ('2026-10-01', 'acme', 'anthropic', 1, 'computed', 'start', 90.255, 90.255),
        ('2026-10-01', 'acme', 'anthropic', 2, 'not_captured', 'change', 12.5, 102.755),
        ('2026-10-01', 'acme', 'anthropic', 9, 'list', 'total', 0, 102.755),
        ('2026-10-01', 'acme', 'anthropic', 10, 'discount', 'change', -2.755, 100),
        ('2026-10-01', 'acme', 'anthropic', 11, 'invoiced', 'total', 0, 100);
    insert into {schema}.reconciliation_daily values
        ('2026-10-02', 'acme', 'anthropic', 'matched', 'none', 3, 90.255, 87.5, 0, 0, 0),
        ('2026-10-03', 'acme', 'anthropic', 'explained', 'source_blind_spot', 1, null, 10.5, 10.5,
        10.5, 0),
        ('2026-10-03', 'acme', 'anthropic', 'unexplained', 'unexplained', 1, null, 2, 2, 2, 2);

    insert into {schema}.model_price_changes values
        ('acme', 'anthropic', 'claude-3-haiku', -1, 'output', '2026-10-05', 'contract',
        1.25, 1.125),
        ('acme', 'anthropic', 'claude-haiku-4-5', -1, 'input', '2026-11-09', 'list price', 1, 0.8),
        ('acme', 'anthropic', 'claude-sonnet-4-5', -1, 'input', '2026-11-09', 'list price', 3, 2),
        ('acme', 'anthropic', 'claude-sonnet-4-5', 200000, 'cache_read', '2026-11-16',
        'list price', 0.5, 0.0125),
        ('acme', 'anthropic', 'claude-sonnet-4-5', -1, 'input', '2026-12-01', 'list price', 2,
        null);
    insert into {schema}.ledger_by_month values
        ('2026-09-01', '2026-09-01', 'acme', 'usage of the month', true, 9, 0, 40.5,
        '2026-10-02 08:00:00'),
        ('2026-10-01', '2026-09-01', 'acme', 'late usage', true, 1, 0, 2.25, '2026-11-02 08:00:00'),
        ('2026-10-01', '2026-10-01', 'acme', 'usage of the month', true, 9, 1, 60,
        '2026-11-02 08:00:00'),
        ('2026-11-01', '2026-10-01', 'acme', 'price correction', false, 0, 0, -1.5, null),
        ('2026-11-01', '2026-11-01', 'acme', 'usage of the month', false, 5, 0, 7, null);
"""

ONE_CALL = """
    create temp table call as select
        date '2026-11-21' as usage_date, 'beginner', 'platform' as team_id,
        'claude-opus-4-5' as model_id, 1, 120, 0, 0, 900, 34, 0.004275 as cost_usd, 0.004275, 0,
        0, 0;
    insert into {schema}.cost_by_team_daily from call;
    insert into {schema}.cost_by_team select * replace (date '2026-11-01' as usage_date) from call;
    insert into {schema}.cost_by_project_daily
    select * replace ('checkout-api' as team_id) from call;
    insert into {schema}.cost_by_mcp_daily select * replace ('github' as team_id), 1 from call;
    insert into {schema}.mcp_tools_daily
    select usage_date, 'beginner', 'github', 'search', 1, 0, 1, 250, 250, cost_usd from call;
    insert into {schema}.cost_month_to_date
    select
        date '2026-11-01', usage_date, true, 'beginner', team_id, model_id, 1, cost_usd, 0, 0, null,
        null, 10 * cost_usd
    from call;
    insert into {schema}.data_freshness values (
        'beginner', 'claude_code', 'Europe/Berlin', 'USD', timestamp '2026-11-21 07:12:00',
        timestamp '2026-11-21 07:12:00', timestamp '2026-11-22 09:00:05', date '2026-11-22',
        date '2026-11-21'
    );
"""


@dataclass(frozen=True)
class Site:
    """A published site, served, and the warehouse that it came from."""

    customer: str
    folder: Path
    url: str
    warehouse: duckdb.DuckDBPyConnection


def make_warehouse(path: Path, schema: str, marts: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path))
    connection.execute(f"create schema {schema};" + EMPTY_MARTS.format(schema=schema))
    connection.execute(marts.format(schema=schema))
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


@contextlib.contextmanager
def site_of(customer: str, folder: Path, marts: str) -> Iterator[Site]:
    """Publish and serve the site of a customer whose marts are what this SQL fills in."""
    with make_warehouse(folder / "warehouse.duckdb", f"customer_{customer}", marts) as warehouse:
        published = publish(
            lambda query: warehouse.execute(query).to_arrow_table(),
            customer,
            folder / "site",
            manifest=MANIFEST,
        )
        warehouse.execute(f"use customer_{customer}")
        with serve(published) as url:
            yield Site(customer, published, url, warehouse)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        message = f"no browser to look at the site with: install one of {', '.join(BROWSERS)}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=BROWSER_SETTINGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=["acme", "newcomer"])
def site(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The site of a customer with 75 days of calls, then of one with none at all."""
    customer = request.param
    marts = FILLED_MARTS if customer == "acme" else ""
    with site_of(customer, tmp_path_factory.mktemp(customer), marts) as published:
        yield published


@contextlib.contextmanager
def open_page(
    browser: Browser, site: Site, path: str = "/", **context_options: Any
) -> Iterator[Page]:
    """Open a page, wait for its query engine, and let nothing wrong pass."""
    wrong: list[str] = []
    with browser.new_context(**context_options) as context:
        page = context.new_page()
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda r: (
                None if r.url.startswith((site.url, "data:", "blob:")) else wrong.append(r.url)
            ),
        )
        page.on(
            "response", lambda r: wrong.append(f"{r.status} {r.url}") if r.status > 399 else None
        )
        # the engine in the browser has started when it asks for the data
        with page.expect_response(lambda response: response.url.endswith("/marts.duckdb")):
            page.goto(site.url + path)
        page.wait_for_load_state("networkidle")
        yield page
        assert wrong == []


def table_rows(page: Page, title: str) -> list[list[str]]:
    """Return the cells of the body of the table of this title."""
    rows = page.locator(f'table[data-table="{title}"] tbody tr').all()
    return [[plain(cell) for cell in row.locator("td").all_inner_texts()] for row in rows]


def figure(page: Page, title: str) -> str:
    tile = page.locator(".figure").filter(has=page.get_by_text(title, exact=True))
    return plain(tile.locator(".value").inner_text())


def plain(text: str) -> str:
    # a number and its unit are never broken apart
    return text.strip().replace("\u00a0", " ")


def usd(amount: Decimal | None) -> str:
    if amount is None:
        return "–"
    # below a cent two digits that count
    digits = Decimal(1).scaleb(amount.adjusted() - 1 if 0 < amount < Decimal("0.01") else -2)
    return f"${amount.quantize(digits, ROUND_HALF_UP):,}"


def share(ratio: Decimal) -> str:
    return f"{abs(ratio) * 100:.1f} %"


def attributes(found: Locator, name: str) -> list[str]:
    return [element.get_attribute(name) or "" for element in found.all()]


def csv_rows(page: Page, title: str) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {title} as CSV", exact=True).click()
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def overview(browser: Browser, site: Site) -> Iterator[Page]:
    with open_page(browser, site) as page:
        yield page


@pytest.mark.parametrize("name", [*PAGES, "team"])
def test_a_page_renders_with_no_error_and_no_request_off_the_host(
    browser: Browser, site: Site, name: str, tmp_path: Path
) -> None:
    folder = Path(os.environ.get("MINDWEAVE_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    if name == "team" and site.customer == "newcomer":
        return  # it has none
    with open_page(browser, site, PAGES.get(name, "/teams/platform/")) as page:
        assert page.locator("h1").count() == 1
        assert page.get_by_text("undefined").count() == 0
        page.evaluate(AXE.read_text(encoding="utf-8"))
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": WIDTHS[width], "height": 900})
            page.emulate_media(color_scheme=scheme)
            expect(page.locator("html")).to_have_attribute("data-theme", scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width]
            file = folder / f"{site.customer}-{name}-{width}-{scheme}.png"
            page.screenshot(path=file, full_page=True)
            if width != "tablet":
                assert accessibility_faults(page) == []
        # still in the dark theme
        page.emulate_media(media="print")
        page.set_viewport_size({"width": PAPER, "height": 900})
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == WHITE
        assert page.evaluate(CUT_OFF) == []


def accessibility_faults(page: Page) -> list[str]:
    """Return what axe finds on the page that keeps people from using it."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {node['html']}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def test_the_overview_equals_the_marts(overview: Page, site: Site) -> None:
    cost, before, month_before, forecast, calls, calls_before, unpriced = one_row(
        site,
        """
        select
            sum(total_cost_usd), sum(previous_cost_usd), sum(previous_month_cost_usd),
            sum(forecast_cost_usd), coalesce(sum(total_calls), 0), sum(previous_calls),
            coalesce(sum(unpriced_calls), 0)
        from cost_month_to_date
        """,
    )
    sentence = plain(overview.locator(".sentence").inner_text())
    assert figure(overview, "Model calls this month") == f"{calls:,}"
    assert figure(overview, "Calls without a price this month") == f"{unpriced:,}"
    if site.customer == "newcomer":
        assert sentence.startswith("There are no calls of newcomer yet")
        assert figure(overview, "This month so far (USD)") == "–"
        assert figure(overview, "Bill reconciled") == "no bill yet"
        return
    assert figure(overview, "November 2026 so far (USD)") == usd(cost)
    assert figure(overview, "Same days of the month before (USD)") == usd(before)
    assert figure(overview, "Whole month before (USD)") == usd(month_before)
    assert figure(overview, "Forecast of the month (USD)") == usd(forecast)
    assert figure(overview, "Bill reconciled") == "98.0 %"
    change = cost / before - 1
    assert sentence.startswith(
        f"acme spent {usd(cost)} in November 2026 through 21 Nov 24:00, {share(change)} "
        f"{'more' if change > 0 else 'less'} than on the same days of October ({usd(before)})."
    )
    assert share(Decimal(calls) / calls_before - 1) in sentence
    for kind in ("team", "model"):
        (mover,) = one_row(
            site,
            f"""
            select {kind}_id
            from cost_month_to_date
            group by {kind}_id
            order by {"-" if change > 0 else ""} sum(
                coalesce(total_cost_usd, 0) - coalesce(previous_cost_usd, 0)
            )
            limit 1
            """,  # noqa: S608, the names above
        )
        assert ("No team" if mover == "unallocated" else mover) in sentence
    terms = overview.locator(".terms").first.inner_text()
    assert "US dollars" in terms
    assert "days in Europe/Berlin" in terms
    assert "through 21 Nov 2026 24:00" in terms


@pytest.mark.parametrize(
    ("path", "title", "nobody", "calls_at", "query"),
    [
        (
            "/",
            "Teams this month",
            "No team",
            4,
            "select team_id, sum(total_cost_usd) as cost_usd, sum(total_calls)"
            " from cost_month_to_date",
        ),
        (
            "/models/",
            "Models",
            "",
            4,
            "select model_id, sum(total_cost_usd) as cost_usd, sum(total_calls)"
            " from cost_by_team_daily where usage_date between '2026-11-01' and '2026-11-21'",
        ),
        (
            "/projects/?period=2026-10",
            "Projects",
            "No project",
            4,
            "select project, sum(total_cost_usd) as cost_usd, sum(total_calls)"
            " from cost_by_project_daily where usage_date between '2026-10-01' and '2026-10-31'",
        ),
        (
            "/mcp-servers/?period=last-30-days",
            "Servers",
            "",
            2,
            "select mcp_name, sum(allocated_cost_usd) as cost_usd, sum(mcp_tool_calls)"
            " from mcp_tools_daily where usage_date between '2026-10-23' and '2026-11-21'",
        ),
        (
            "/teams/platform/",
            "Models of the team this month",
            "",
            4,
            "select model_id, sum(total_cost_usd) as cost_usd, sum(total_calls)"
            " from cost_month_to_date where team_id = 'platform'",
        ),
    ],
)
def test_a_table_equals_its_mart_to_the_digit(
    browser: Browser,
    site: Site,
    path: str,
    title: str,
    nobody: str,
    calls_at: int,
    query: str,
) -> None:
    if site.customer == "newcomer":
        return  # its tables are not there, and say why
    found = site.warehouse.execute(
        f"{query} group by 1 order by cost_usd desc nulls last"
    ).fetchall()
    expected = [
        [nobody if name == "unallocated" else name, usd(cost), f"{calls:,}"]
        for name, cost, calls in found
    ]
    with open_page(browser, site, path) as page:
        # the first state of a page is without the choice of its link
        table = page.locator(f'table[data-table="{title}"]')
        expect(table.locator("tbody tr").first).to_contain_text(expected[0][1])
        if (more := page.get_by_role("button", name=f"Show all {len(expected)}")).count():
            more.click()
        shown = [[row[0], row[1], row[calls_at]] for row in table_rows(page, title)]
        assert shown == expected
        total = sum((cost for _, cost, _ in found if cost), Decimal(0))
        assert table.locator("tfoot td").nth(1).inner_text() == usd(total)


def test_one_call_is_told_to_the_digit(browser: Browser, tmp_path: Path) -> None:
    with site_of("beginner", tmp_path, ONE_CALL) as site:
        cost, forecast = one_row(
            site, "select total_cost_usd, forecast_cost_usd from cost_month_to_date"
        )
        with open_page(browser, site) as page:
            sentence = plain(page.locator(".sentence").inner_text())
            assert sentence == f"beginner spent {usd(cost)} in November 2026 through 21 Nov 24:00."
            assert figure(page, "November 2026 so far (USD)") == usd(cost)
            assert figure(page, "Forecast of the month (USD)") == usd(forecast)
            assert figure(page, "Model calls this month") == "1"
            assert figure(page, "Same days of the month before (USD)") == "–"
        for path, title, name in (
            ("/teams/", "Teams", "platform"),
            ("/teams/platform/", "Models of the team this month", "claude-opus-4-5"),
            ("/models/", "Models", "claude-opus-4-5"),
            ("/projects/", "Projects", "checkout-api"),
            ("/mcp-servers/", "Servers", "github"),
        ):
            with open_page(browser, site, path) as page:
                (row,) = table_rows(page, title)
                assert row[:2] == [name, usd(cost)]
                assert "1" in row[2:]
                (downloaded,) = csv_rows(page, title)
                assert Decimal(downloaded["cost_usd"]) == cost


def test_a_choice_is_kept_in_the_link_and_in_the_csv(browser: Browser, site: Site) -> None:
    with open_page(browser, site, PAGES["teams"]) as page:
        if site.customer == "newcomer":
            assert page.get_by_text("No team had a call with this choice").is_visible()
            return
        found = site.warehouse.execute(
            """
            select team_id, sum(total_cost_usd), sum(total_calls)
            from cost_by_team_daily
            where usage_date between '2026-10-01' and '2026-10-31' and model_id = 'claude-haiku-4-5'
            group by team_id
            """
        ).fetchall()
        expected = {team: (cost, calls) for team, cost, calls in found}
        page.locator("[data-filter=period]").select_option("2026-10")
        page.locator("[data-filter=model]").select_option("claude-haiku-4-5")
        platform = page.locator('table[data-table="Teams"] tbody tr').filter(has_text="platform")
        expect(platform).to_contain_text(usd(expected["platform"][0]))
        assert page.url.endswith("?period=2026-10&model=claude-haiku-4-5")
        downloaded = csv_rows(page, "Teams")
        link = page.url.removeprefix(site.url)
    # exact to the last decimal, and no formula for a spreadsheet to run
    expected["'=1+1"], expected["No team"] = expected.pop("=1+1"), expected.pop("unallocated")
    assert expected == {
        row["name"]: (Decimal(row["cost_usd"]), int(row["calls"])) for row in downloaded
    }
    with open_page(browser, site, link) as page:
        dearest = page.locator('table[data-table="Teams"] tbody tr').first
        expect(dearest).to_contain_text(usd(max(cost for cost, _ in expected.values())))
        assert page.locator("[data-filter=model]").input_value() == "claude-haiku-4-5"


def test_a_link_that_asks_for_what_is_not_there_shows_the_page_itself(
    browser: Browser, site: Site
) -> None:
    with open_page(browser, site, "/teams/?model=' or 1=1 --&period=1999-01") as page:
        assert page.locator("[data-filter=model]").input_value() == ""


def test_what_has_no_price_is_named(browser: Browser, site: Site) -> None:
    unpriced = site.warehouse.execute("select model_id, total_calls from unpriced_usage").fetchall()
    with open_page(browser, site, PAGES["models"]) as page:
        shown = [[row[0], row[2]] for row in table_rows(page, "Models without a price")]
        assert shown == [[model, f"{calls:,}"] for model, calls in unpriced]
        nothing = page.get_by_text("Nothing: every call has a price.")
        assert nothing.count() == (0 if unpriced else 1)


def test_a_change_of_price_is_a_mark_on_its_day_and_a_row(browser: Browser, site: Site) -> None:
    with open_page(browser, site, PAGES["models"]) as page:
        if site.customer == "newcomer":
            assert page.get_by_text("No price of a model in use has changed").is_visible()
            assert page.locator(".mark").count() == 0
            return
        marked = page.locator(".day").filter(has=page.locator(".mark"))
        days = [title.split(":")[0] for title in attributes(marked, "title")]
        assert days == ["9 Nov", "16 Nov"]
        assert marked.locator("b").all_inner_texts() == ["1", "2"]
        assert attributes(page.locator(".mark"), "title")[0] == (
            "9 Nov: another price of claude-haiku-4-5, claude-sonnet-4-5"
        )
        assert [[row[0], *row[2:7]] for row in table_rows(page, "Price changes")] == [
            ["claude-sonnet-4-5", "–", "input", "$2.00", "–", "–"],
            [
                "claude-sonnet-4-5",
                "2",
                "cache read, prompts over 200,000",
                "$0.50",
                "$0.0125",
                "−97.5 %",
            ],
            ["claude-haiku-4-5", "1", "input", "$1.00", "$0.80", "−20.0 %"],
            ["claude-sonnet-4-5", "1", "input", "$3.00", "$2.00", "−33.3 %"],
            ["claude-3-haiku", "–", "output", "$1.25", "$1.125", "−10.0 %"],
        ]
        assert csv_rows(page, "Price changes")[1]["now_usd"] == "0.012500000000000"


def test_a_closed_month_stays_and_its_corrections_are_told(browser: Browser, site: Site) -> None:
    with open_page(browser, site, PAGES["reconciliation"]) as page:
        if site.customer == "newcomer":
            assert page.get_by_text("No month is closed").is_visible()
            return
        assert table_rows(page, "Closed months") == [
            ["2026-11", "open", "$7.00", "−$1.50", "$5.50", "$7.00"],
            ["2026-10", "closed 2026-11-02", "$60.00", "+$2.25", "$62.25", "$58.50"],
            ["2026-09", "closed 2026-10-02", "$40.50", "–", "$40.50", "$42.75"],
        ]
        assert table_rows(page, "Corrections") == [
            ["2026-10", "2026-11", "price correction", "0", "−$1.50"],
            ["2026-09", "2026-10", "late usage", "1", "+$2.25"],
        ]


def test_a_table_is_sorted_by_its_titles(overview: Page, site: Site) -> None:
    if site.customer == "acme":
        table = overview.locator('table[data-table="Teams this month"]')
        for is_descending in (False, True):
            table.get_by_role("button", name=re.compile("^Team")).click()
            names = [row[0] for row in table_rows(overview, "Teams this month")]
            assert names == sorted(names, reverse=is_descending)


def test_the_ladder_leads_to_the_bill(browser: Browser, site: Site) -> None:
    with open_page(browser, site, PAGES["reconciliation"]) as page:
        if site.customer == "newcomer":
            assert page.get_by_text("There is no bill yet").is_visible()
            return
        assert [row[:2] for row in table_rows(page, "Step")] == [
            ["Captured calls at our prices", "$90.26"],
            ["Used, but seen by no source", "+$12.50"],
            ["Vendor's list cost", "$102.76"],
            ["Discounts and credits", "−$2.76"],
            ["Invoiced", "$100.00"],
        ]
        assert figure(page, "Unexplained (USD)") == "$2.00"


def test_patterns_say_what_was_avoidable_and_which_teams_share_them(
    browser: Browser, site: Site
) -> None:
    with open_page(browser, site, PAGES["hivemind"]) as page:
        if site.customer == "newcomer":
            assert page.get_by_text("No prompt was asked again by another person").is_visible()
            assert page.get_by_text("No two teams asked for the same.").is_visible()
            return
        avoidable, dearest, least_alike = one_row(
            site,
            """
            select
                sum(avoidable_cost_usd), max(avoidable_cost_usd) filter (suggestion is not null),
                arg_max(confidence, avoidable_cost_usd)
            from hivemind_patterns
            where pattern_kind = 'prompt'
            """,
        )
        assert figure(page, "Avoidable at most (USD)") == usd(avoidable)
        first = table_rows(page, "Prompts asked again")[0]
        assert first[1] == usd(dearest)
        assert first[5:7] == [share(least_alike), "Share the prompt"]
        # the smallest patterns are one row in the mart, which is no pattern to look at
        assert figure(page, "Prompts asked again") == "13"
        grid = page.locator('table[data-table="Patterns that two teams share"]')
        assert grid.locator("tbody tr").first.inner_text().split() == ["platform", "5", "2"]


def test_a_metric_says_what_it_counts_and_by_which_sql(browser: Browser, site: Site) -> None:
    with open_page(browser, site, PAGES["metrics"]) as page:
        assert page.locator("#total_cost_usd dd").all_inner_texts() == [
            "what calls cost.",
            "tokens × price.",
            "over every grain.",
            "calls without a price.",
            "the price book.",
            "cost_by_team",
        ]
        page.get_by_text("SQL, version 0123456789ab").click()
        assert page.get_by_text("select the_sql_of_the_metric").is_visible()


def test_loads_and_checks_are_shown_the_failed_ones_first(browser: Browser, site: Site) -> None:
    quarantined = one_row(site, "select coalesce(sum(rows_quarantined), 0) from load_report")[0]
    failed = one_row(site, "select count(*) from landing_checks where not is_success")[0]
    with open_page(browser, site, PAGES["data-quality"]) as page:
        assert figure(page, "Lines in quarantine") == f"{quarantined:,}"
        assert figure(page, "Failed checks") == f"{failed:,}"
        outcomes = [row[1] for row in table_rows(page, "Checks")]
        assert outcomes[:failed] == ["✗ failed"] * failed
        assert set(outcomes[failed:]) <= {"✓ passed"}
        tests = [row[:5] for row in table_rows(page, "Tests of the models")]
        assert tests[0] == ["mcp_calls", "! warned", "accepted values", "status", "3"]
        assert {row[1] for row in tests[1:]} == {"✓ passed"}
        assert figure(page, "Tests of the models") == f"{len(tests)}"
        if site.customer == "newcomer":
            assert page.get_by_text("No check has run yet.").is_visible()
            assert page.get_by_text("Nothing has been loaded yet").first.is_visible()


def test_a_day_is_the_same_day_for_readers_everywhere(browser: Browser, site: Site) -> None:
    if site.customer == "acme":
        texts = set()
        for zone in ("America/Los_Angeles", "Pacific/Auckland"):
            with open_page(browser, site, timezone_id=zone) as page:
                texts.add(page.locator("article").inner_text())
        assert len(texts) == 1


def test_what_a_reader_can_download_is_the_public_marts(site: Site) -> None:
    """Nothing of another customer, of a person, or of a raw row's id is in any file."""
    (data,) = (site.folder / "data").rglob("*.duckdb")
    with duckdb.connect(str(data), read_only=True) as database:
        tables = {name for (name,) in database.execute("show tables").fetchall()}
        # the file is compressed: its bytes alone would not tell
        texts = [str(database.execute(f"from {name}").fetchall()) for name in tables]
    assert tables == {*SITE_MARTS, "site", "metrics", "model_tests"}
    assert not any("canary" in text for text in texts)
    for file in site.folder.rglob("*"):
        assert not file.is_file() or b"canary" not in file.read_bytes()


def one_row(site: Site, query: str) -> tuple[Any, ...]:
    row = site.warehouse.execute(query).fetchone()
    assert row is not None
    return row


def written_out(query: str, queries: dict[str, str]) -> str:
    """Return a query of a page with those that it builds on in it, and no choice made."""
    query = re.sub(r"'?\$\{(inputs|params)\.[\w.]+\}'?", "''", query)
    return re.sub(
        r"\$\{(\w+)\}", lambda name: f"({written_out(queries[name[1]], queries)}\n)", query
    )


def page_queries() -> dict[str, str]:
    """Return every query of the site by page and name."""
    shared = {path.stem: path.read_text() for path in (REPORTS_DIR / "queries").glob("*.sql")}
    found = {name: written_out(query, shared) for name, query in shared.items()}
    for path in sorted((REPORTS_DIR / "pages").rglob("*.md")):
        own = dict(re.findall(r"```sql (\w+)\n(.*?)```", path.read_text(), re.DOTALL))
        page = path.relative_to(REPORTS_DIR / "pages").as_posix()
        found |= {f"{page} {name}": written_out(query, shared | own) for name, query in own.items()}
    return found


@pytest.mark.parametrize("name", page_queries())
def test_a_query_runs_on_the_marts_without_what_a_browser_lacks(name: str) -> None:
    query = page_queries()[name]
    # these need an extension that the browser would have to download
    assert not re.search(
        r"current_date|current_timestamp|now\(|today\(|timezone|timestamptz|at time zone|json",
        query.replace("time_zone", ""),
        re.IGNORECASE,
    )
    with duckdb.connect() as database:
        database.execute("create schema marts;" + EMPTY_MARTS.format(schema="marts"))
        database.execute(
            "create table marts.site (customer_id text, published_at timestamp, loads bigint,"
            " rows_read bigint, rows_quarantined bigint)"
        )
        database.execute(
            "create table marts.metrics (metric text, mart text, grain text, sql text,"
            " version text, counts text, formula text, adds_up text, leaves_out text, trusts text)"
        )
        database.execute(
            "create table marts.model_tests (relation text, rule text, columns text, outcome text,"
            " failures bigint, tested_at timestamp)"
        )
        database.execute(query)
