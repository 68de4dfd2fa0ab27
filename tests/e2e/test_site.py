"""The built site in a real browser, with no network: every number on it is the mart's."""

import contextlib
import functools
import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from flows.publish import REPORTS_DIR, SITE_MARTS, publish

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

    customer: str
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        message = f"no browser to look at the site with: install one of {', '.join(BROWSERS)}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=quiet)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=["acme", "newcomer"])
def site(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The site of a customer with 75 days of calls, then of one with none at all."""
    customer = request.param
    folder = tmp_path_factory.mktemp(customer)
    with make_warehouse(
        folder / "warehouse.duckdb", f"customer_{customer}", is_filled=customer == "acme"
    ) as warehouse:
        published = publish(
            lambda query: warehouse.execute(query).to_arrow_table(), customer, folder / "site"
        )
        warehouse.execute(f"use customer_{customer}")
        with serve(published) as url:
            yield Site(customer, published, url, warehouse)


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


def column_title(page: Page, title: str) -> Locator:
    """Return the title of a table's first column; Evidence keeps a hidden copy of it for print."""
    titles = page.locator("thead tr:last-child th:first-child:visible")
    return titles.filter(has_text=re.compile(rf"^\s*{title}\s*$"))


def table_rows(page: Page, first_title: str) -> list[list[str]]:
    """Return the cells of the table whose first column has this title."""
    rows = column_title(page, first_title).locator("xpath=ancestor::table/tr").all()
    return [[cell.strip() for cell in row.locator("td").all_inner_texts()] for row in rows]


def figure(page: Page, title: str) -> str:
    tile = page.locator(".figure").filter(has=page.get_by_text(title, exact=True))
    return tile.locator(".value").inner_text()


def usd(amount: Decimal | None) -> str:
    return "-" if amount is None else f"${amount.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


@pytest.fixture(scope="module")
def overview(browser: Browser, site: Site) -> Iterator[Page]:
    with open_page(browser, site) as page:
        yield page


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_renders_with_no_error_and_no_request_off_the_host(
    browser: Browser, site: Site, name: str, width: str, tmp_path: Path
) -> None:
    pixels, height = WIDTHS[width]
    folder = Path(os.environ.get("MINDWEAVE_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    viewport = {"width": pixels, "height": height}
    with open_page(browser, site, PAGES[name], viewport=viewport) as page:
        assert page.locator("h1").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= pixels
        charts = 4 if site.customer == "acme" and name == "overview" else 0
        expect(page.locator("canvas")).to_have_count(charts)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            expect(page.locator("html")).to_have_attribute("data-theme", scheme)
            # charts are drawn anew, which takes them half a second
            page.wait_for_timeout(800 if charts else 0)
            file = folder / f"{site.customer}-{name}-{width}-{scheme}.png"
            page.screenshot(path=file, full_page=True)


def test_the_headline_equals_the_marts(overview: Page, site: Site) -> None:
    days = "usage_date between date '2026-10-24' and date '2026-11-22'"
    days_before = "usage_date between date '2026-09-24' and date '2026-10-23'"
    (cost, cost_before, all_cost, calls, unpriced) = one_row(
        site,
        f"""
        select
            sum(total_cost_usd) filter ({days}),
            sum(total_cost_usd) filter ({days_before}),
            sum(total_cost_usd),
            coalesce(sum(total_calls) filter ({days}), 0),
            coalesce(sum(unpriced_calls), 0)
        from cost_by_team_daily
        """,
    )
    sentence = overview.locator(".headline .sentence").inner_text()
    assert figure(overview, "Model calls, 30 days") == f"{calls:,}"
    assert figure(overview, "Model calls without a price") == f"{unpriced:,}"
    if site.customer == "newcomer":
        assert sentence.startswith("There are no calls of newcomer yet.")
        assert figure(overview, "Cost, 30 days (USD)") == "–"
        return
    change = cost / cost_before - 1
    more_or_less = "more" if change > 0 else "less"
    assert sentence == (
        f"LLM use of acme cost {usd(cost)} from 24 Oct to 22 Nov 2026, "
        f"{abs(change):.1%} {more_or_less} than in the 30 days before."
    )
    assert figure(overview, "Cost, 30 days (USD)") == usd(cost)
    assert figure(overview, "Cost, all data (USD)") == usd(all_cost)
    terms = overview.locator(".headline .terms").inner_text()
    assert "US dollars" in terms
    assert "days in Europe/Berlin" in terms


@pytest.mark.parametrize(
    ("title", "mart", "column", "nobody"),
    [
        ("Model", "cost_by_team_daily", "model_id", ""),
        ("Team", "cost_by_team_daily", "team_id", "No team"),
        ("Project", "cost_by_project_daily", "project", "No project"),
        ("MCP server", "cost_by_mcp_daily", "mcp_name", "No MCP server"),
    ],
)
def test_a_table_equals_its_mart_to_the_digit(
    overview: Page, site: Site, title: str, mart: str, column: str, nobody: str
) -> None:
    rows = site.warehouse.execute(
        f"""
        select {column}, sum(total_cost_usd) as cost_usd, sum(total_calls)
        from {mart}
        where usage_date between date '2026-10-24' and date '2026-11-22'
        group by {column}
        order by cost_usd desc nulls last
        """  # noqa: S608, the names above
    ).fetchall()
    expected = [
        [nobody if name == "unallocated" else name, usd(cost), f"{calls:,}"]
        for name, cost, calls in rows[:10]
    ]
    if rows:
        cost = sum((cost for _, cost, _ in rows if cost), Decimal(0))
        expected.append(["All", usd(cost), f"{sum(calls for _, _, calls in rows):,}"])
    shown = [[row[0], row[1], row[4]] for row in table_rows(overview, title)]
    assert shown == expected


def test_what_has_no_price_is_named(overview: Page, site: Site) -> None:
    unpriced = site.warehouse.execute("select model_id, total_calls from unpriced_usage").fetchall()
    shown = [[row[0], row[2]] for row in table_rows(overview, "Model without a price")]
    assert shown == [[model, f"{calls:,}"] for model, calls in unpriced]
    nothing = overview.get_by_text("Nothing: every call has a price.")
    assert nothing.count() == (0 if unpriced else 1)


def test_a_table_is_sorted_by_the_engine_in_the_browser(overview: Page, site: Site) -> None:
    if site.customer == "acme":
        before = [row[0] for row in table_rows(overview, "Project")][:-1]
        column_title(overview, "Project").click()
        first_cell = overview.locator("table:visible").nth(2).locator("td").first
        expect(first_cell).not_to_have_text(before[0])
        names = [row[0] for row in table_rows(overview, "Project")][:-1]
        assert names in (sorted(names), sorted(names, reverse=True))


def test_loads_and_checks_are_shown_the_failed_ones_first(browser: Browser, site: Site) -> None:
    quarantined = one_row(site, "select coalesce(sum(rows_quarantined), 0) from load_report")[0]
    failed = one_row(site, "select count(*) from landing_checks where not is_success")[0]
    with open_page(browser, site, PAGES["data-quality"]) as page:
        assert figure(page, "Lines in quarantine") == f"{quarantined:,}"
        assert figure(page, "Failed checks") == f"{failed:,}"
        outcomes = [row[0] for row in table_rows(page, "Outcome")]
        assert outcomes[:failed] == ["✗ failed"] * failed
        assert set(outcomes[failed:]) <= {"✓ passed"}
        if site.customer == "newcomer":
            assert page.get_by_text("No check has run yet.").is_visible()
            assert page.get_by_text("Nothing has been loaded yet.").is_visible()


def test_a_day_is_the_same_day_for_readers_everywhere(browser: Browser, site: Site) -> None:
    if site.customer == "acme":
        texts = set()
        for zone in ("America/Los_Angeles", "Pacific/Auckland"):
            with open_page(browser, site, timezone_id=zone) as page:
                texts.add(page.locator("article").inner_text())
        assert len(texts) == 1


def test_what_a_reader_can_download_is_the_public_marts(site: Site) -> None:
    (data,) = (site.folder / "data").rglob("*.duckdb")
    with duckdb.connect(str(data), read_only=True) as database:
        tables = {name for (name,) in database.execute("show tables").fetchall()}
    assert tables == {*SITE_MARTS, "site"}
    for file in site.folder.rglob("*"):
        assert not file.is_file() or b"canary" not in file.read_bytes()


def one_row(site: Site, query: str) -> tuple[Any, ...]:
    row = site.warehouse.execute(query).fetchone()
    assert row is not None
    return row


def page_queries() -> dict[str, str]:
    """Return every query of the site by name, those that it builds on written out."""
    queries = {path.stem: path.read_text() for path in (REPORTS_DIR / "queries").glob("*.sql")}
    for path in (REPORTS_DIR / "pages").rglob("*.md"):
        queries |= dict(re.findall(r"```sql (\w+)\n(.*?)```", path.read_text(), re.DOTALL))

    def written_out(query: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda name: f"({written_out(queries[name[1]])}\n)", query)

    return {name: written_out(query) for name, query in queries.items()}


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
        database.execute("create table marts.site (customer_id text, published_at timestamp)")
        database.execute(query)
