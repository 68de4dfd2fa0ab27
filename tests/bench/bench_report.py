"""What the site takes to build and to open: the demo's, and one of 50 teams and three years.

usage: python -m tests.bench.bench_report

Each customer's site is built when the code of the pages is new (the packages of npm are installed
before), then again as after an hour, with new data only. A browser with no network then opens its
first page and another one, over loopback: when it shows the first chart, and what travels, which a
host may compress as gzip does here. CPU is of all processes. Leave the machine
alone meanwhile.
"""

import gzip
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from playwright.sync_api import Browser, sync_playwright

from dlt_pipelines.demo import vendors, workload
from flows.publish import REPORTS_DIR, publish
from tests import three_years, transcripts
from tests.e2e import test_site

OPENINGS = 5
SETTLED_MILLISECONDS = 3000
CUSTOMERS: dict[str, Callable[[Path], duckdb.DuckDBPyConnection]] = {
    "demo": lambda path: demo_warehouse(path.parent / "home"),
    "big": lambda path: three_years.make_warehouse(path, "big"),
}
APP_STAMP = REPORTS_DIR / ".evidence" / "template" / ".mindweave-stamp"


def main() -> None:
    """Measure one customer after the other."""
    print(f"{os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        executable = next(filter(None, map(shutil.which, test_site.BROWSERS)), None)
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        for customer, make in CUSTOMERS.items():
            print(customer, flush=True)
            with make(Path(folder) / f"{customer}.duckdb") as warehouse:
                site = Path(folder) / "sites" / customer
                # the first one of all may have to install the packages
                build(warehouse, customer, site)
                APP_STAMP.unlink()
                report("pages are new", *build(warehouse, customer, site))
                report("new data only", *build(warehouse, customer, site))
            weigh(site)
            with test_site.serve(site) as url:
                look(browser, url, site)


def demo_warehouse(home: Path) -> duckdb.DuckDBPyConnection:
    """Load and build the demo, as `make demo` does."""
    workload.write(home / "demo", datetime.now(UTC).date())
    with vendors.serving(home / "demo") as environment:
        transcripts.succeeds(
            transcripts.mindweave(home, "load", "--customer", "demo", **environment)
        )
    transcripts.succeeds(transcripts.mindweave(home, "build", "--customer", "demo"))
    return duckdb.connect(transcripts.home_settings(home, "demo").warehouse_url, read_only=True)


def build(warehouse: duckdb.DuckDBPyConnection, customer: str, site: Path) -> tuple[float, float]:
    """Build the site; return seconds, and seconds of CPU."""
    started, cpu = time.perf_counter(), cpu_seconds()
    publish(
        lambda query: warehouse.execute(query).to_arrow_table(),
        customer,
        site,
        manifest=test_site.MANIFEST,
    )
    return time.perf_counter() - started, cpu_seconds() - cpu


def cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def report(what: str, seconds: float, cpu: float) -> None:
    print(f"  {what:42} {seconds:8.2f} s {cpu:8.2f} s of CPU", flush=True)


def weigh(site: Path) -> None:
    """Print what the files take on the host."""
    files = [path for path in site.rglob("*") if path.is_file()]
    (data,) = (path for path in files if path.suffix == ".duckdb")
    pages = sum(path.suffix == ".html" for path in files)
    whole = sum(path.stat().st_size for path in files)
    print(f"  {f'{pages} pages, all files':42} {whole / 1e6:8.2f} MB")
    weight("  marts.duckdb", data.read_bytes())


def weight(what: str, *bodies: bytes) -> None:
    packed = sum(len(gzip.compress(body)) for body in bodies)
    whole = sum(map(len, bodies))
    print(f"{what:44} {whole / 1e6:8.2f} MB {packed / 1e6:8.2f} MB with gzip", flush=True)


def look(browser: Browser, url: str, site: Path) -> None:
    """Print what a reader waits for and what travels, on the first visit and on the next page."""
    waits: dict[str, list[float]] = {"first visit": [], "next page": []}
    asked: set[str] = set()
    for number in range(OPENINGS):
        with browser.new_context() as context:
            page = context.new_page()
            page.on("request", lambda request: asked.add(request.url))
            for visit in waits:
                asked.clear()
                started = time.perf_counter()
                if visit == "first visit":
                    page.goto(f"{url}/", wait_until="commit")
                else:
                    page.get_by_role("link", name="Models", exact=True).first.click()
                    page.wait_for_url("**/models/")
                page.locator(".chart [role=img]").first.wait_for()
                waits[visit].append(time.perf_counter() - started)
                page.wait_for_load_state("networkidle")
                if number == 0:
                    page.wait_for_timeout(SETTLED_MILLISECONDS)
                    paths = [site / path.removeprefix(url).lstrip("/") for path in asked]
                    files = [path / "index.html" if path.is_dir() else path for path in paths]
                    bodies = [file.read_bytes() for file in files if file.is_file()]
                    weight(f"  {visit}, {len(bodies)} files", *bodies)
    for visit, seconds in waits.items():
        spread = f"({min(seconds):.2f}–{max(seconds):.2f})"
        median = statistics.median(seconds)
        print(f"  {f'{visit}, first chart after':42} {median:8.2f} s  {spread}", flush=True)


if __name__ == "__main__":
    main()
