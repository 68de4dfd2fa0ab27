"""Build the static site of one customer from its public marts and put it in place at once."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa
from filelock import FileLock, Timeout

from dlt_pipelines.destinations import MissingRelationError
from dlt_pipelines.duckdb_warehouse import interruptible
from dlt_pipelines.errors import MindweaveError
from flows.dbt_artifacts import metrics, model_tests
from flows.node import Node, NodeNotFoundError, find_node

# Every reader of a site can download all of this: aggregates only, never a mart with a row a call.
SITE_MARTS = (
    "cost_month_to_date",
    "cost_by_team_daily",
    "cost_by_team",
    "cost_by_project_daily",
    "cost_by_mcp_daily",
    "mcp_tools_daily",
    "mcp_servers",
    "hivemind_patterns",
    "hivemind_team_pairs",
    "hivemind_templates",
    "model_price_changes",
    "invoice_ladder",
    "reconciliation_daily",
    "ledger_by_month",
    "unpriced_usage",
    "load_report",
    "landing_checks",
    "data_freshness",
)

# Ids that lead to the raw rows; a reader has no use for them.
WITHHELD_COLUMNS = {"load_id", "check_id", "mcp_server_id"}

# What the pages look back on by day; months before it are in the monthly marts.
KEPT_DAYS = """
    where coalesce(usage_date >= (
        select date_trunc('month', max(as_of_date)) - interval 3 months from data_freshness
    ), true)
"""
# loads before these are in the totals of `site`; hourly ones are a month or so
KEPT_LOADS = "select load_id from load_report order by started_at desc, load_id limit 1000"
KEPT = {
    "load_report": f"where load_id in ({KEPT_LOADS})",
    "landing_checks": f"""
        where (source, checked_at) in (
            select (source, max(checked_at)) from landing_checks group by source
        )
        or (not is_success and load_id in ({KEPT_LOADS}))
    """,
}

REPORTS_DIR = Path(__file__).resolve().parent.parent / "reports"
PATCH = "scripts/patch.mjs"
APP_SOURCES = ("pages", "queries", "components", "static")
BUILD_LIMIT_SECONDS = 15 * 60
LOCK_LIMIT_SECONDS = 20 * 60

# What Node may see of the environment: a build must not be able to print a password.
PASSED_ENVIRONMENT = re.compile(
    r"HOME|LANG|LC_\w+|TMPDIR|SSL_CERT_\w+|NODE_EXTRA_CA_CERTS|npm_config_\w+"
    r"|(https?|no|all)_proxy",
    re.IGNORECASE,
)
EVIDENCE_ENVIRONMENT = {
    "EVIDENCE_DATA_DIR": "./static/data",
    "EVIDENCE_DATA_URL_PREFIX": "static/data",
    "EVIDENCE_IS_BUILDING": "true",
    "EVIDENCE_STRICT_MODE": "true",
    "SEND_ANONYMOUS_USAGE_STATS": "no",
}
HEAP = "--max-old-space-size=4096"
ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# The types that a warehouse's Arrow may blur: PostgreSQL sums integers to numeric, an empty
# result may have no types at all.
TYPE_BY_SUFFIX = {
    "_usd": "decimal(38, 15)",
    "_tokens": "bigint",
    "_rows": "bigint",
    "_ms": "bigint",
    "_calls": "bigint",
    "_at": "timestamp",
    "_date": "date",
    "confidence": "decimal(12, 9)",
    "confidence_error": "decimal(12, 9)",
    "share": "decimal(12, 9)",
}


class PublishError(MindweaveError):
    """The site was not published and the one before it still stands; one line says what to do."""


def publish(
    read: Callable[[str], pa.Table],
    customer: str,
    site_dir: Path,
    *,
    manifest: Path,
    base_path: str = "",
    reports_dir: Path = REPORTS_DIR,
    time_limit_seconds: float = BUILD_LIMIT_SECONDS,
) -> Path:
    """Build the site of ``customer`` and swap it into ``site_dir``, which is returned.

    ``read`` runs a query on the warehouse; ``manifest`` is what dbt wrote when it built the marts,
    and says what each metric means; beside it is what its tests found. ``base_path`` (as ``/x``) is
    where the host serves the site, empty for its root. ``site_dir`` becomes a link to a folder
    beside it, so that the swap is one rename; what npm and Evidence say goes to the ``.log`` file
    beside it.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", customer):
        raise PublishError(f"{customer!r} is no customer: use a-z, 0-9 and _, a letter first")
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", base_path):
        raise PublishError(f"{base_path!r} is no base path: write it as /name, with no slash after")
    if not (reports_dir / "package-lock.json").is_file():
        raise PublishError(f"no report pages in {reports_dir}: run from a clone of the project")
    site_dir = Path(os.path.abspath(site_dir))
    log_path = site_dir.with_name(f"{site_dir.name}.log")
    try:
        site_dir.parent.mkdir(parents=True, exist_ok=True)
        old_site = _old_site(site_dir)
        with _turn(reports_dir), log_path.open("w", encoding="utf-8") as log:
            toolchain = _Toolchain(
                find_node(), reports_dir, log, log_path, time_limit_seconds, base_path
            )
            try:
                toolchain.forget_data()
                _export(read, customer, toolchain.exported_dir, manifest)
                toolchain.install()
                toolchain.build_app()
                _swap(toolchain.render(), site_dir)
            finally:
                # one customer's marts must not wait here for the next customer's build
                toolchain.forget_data()
    except NodeNotFoundError as error:
        raise PublishError(str(error)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise PublishError(f"cannot write the site to {site_dir}: {reason}") from error
    if old_site is not None:
        shutil.rmtree(old_site, ignore_errors=True)
    return site_dir


def _export(read: Callable[[str], pa.Table], customer: str, data_dir: Path, manifest: Path) -> None:
    """Write the public marts to one DuckDB file that Evidence's patched engine attaches."""
    data_dir.mkdir(parents=True)
    database = data_dir / "marts.duckdb"
    with (
        duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection,
        interruptible(connection),
    ):
        connection.execute("set timezone = 'UTC'")
        for mart in SITE_MARTS:
            try:
                rows = read(f"select * from customer_{customer}.{mart}")  # noqa: S608, both checked
            except MissingRelationError:
                raise PublishError(
                    f"there is no customer_{customer}.{mart} yet: run `mindweave build` first"
                ) from None
            columns = ", ".join(map(_typed_column, rows.column_names))
            connection.register("mart_rows", rows)
            connection.execute(f"create table {mart} as select {columns} from mart_rows")  # noqa: S608
            connection.unregister("mart_rows")
        # the oldest format, as the browser's engine is older than ours; small blocks, as the whole
        # file travels to every reader
        path = str(database).replace("'", "''")
        connection.execute(f"attach '{path}' as site (storage_version 'v1.0.0', block_size 16384)")
        connection.execute(
            "create table site.site as select ? as customer_id, cast(? as timestamp) published_at,"
            " count(*) as loads, cast(coalesce(sum(rows_read), 0) as bigint) as rows_read,"
            " cast(coalesce(sum(rows_quarantined), 0) as bigint) as rows_quarantined"
            " from load_report",
            [customer, datetime.now(UTC).replace(tzinfo=None, microsecond=0)],
        )
        for mart in SITE_MARTS:
            # what is left out is never written: a row that is deleted keeps its place in the file
            kept = KEPT_DAYS if mart.endswith("_daily") else KEPT.get(mart, "")
            columns = ", ".join(
                f'"{name}"'
                for name in connection.table(mart).columns
                if name not in WITHHELD_COLUMNS
            )
            connection.execute(f"create table site.{mart} as select {columns} from {mart} {kept}")  # noqa: S608
        connection.execute("use site")
        of_dbt = {
            "metrics": metrics(manifest, SITE_MARTS),
            "model_tests": model_tests(manifest, manifest.with_name("run_results.json")),
        }
        for table, rows in of_dbt.items():
            connection.register("dbt_rows", rows)
            connection.execute(f"create table {table} as select * from dbt_rows")  # noqa: S608
        connection.execute("use memory")
        connection.execute("checkpoint site")
        connection.execute("detach site")
    # a name of its own, so that no browser takes an older file for this one
    named = Path("marts", hashlib.sha256(database.read_bytes()).hexdigest()[:32], "marts.duckdb")
    (data_dir / named).parent.mkdir(parents=True)
    database.rename(data_dir / named)
    files = {"renderedFiles": {"marts": [f"static/data/{named.as_posix()}"]}}
    (data_dir / "manifest.json").write_text(json.dumps(files), encoding="utf-8")


def _typed_column(name: str) -> str:
    for suffix, type_name in TYPE_BY_SUFFIX.items():
        if name.endswith(suffix):
            return f'cast("{name}" as {type_name}) as "{name}"'
    return f'"{name}"'


class _Toolchain:
    """Node, npm and Evidence in the reports folder; all they print goes to the log."""

    def __init__(
        self,
        node: Node,
        reports_dir: Path,
        log: IO[str],
        log_path: Path,
        limit: float,
        base_path: str,
    ) -> None:
        self._node = node
        self._reports_dir = reports_dir
        self._log = log
        self._log_path = log_path
        self._limit = limit
        self._base_path = base_path
        self._build_dir = reports_dir / "build"
        self._app_dir = reports_dir / ".evidence" / "template"
        self.exported_dir = reports_dir / ".evidence" / "data"

    def install(self) -> None:
        """Run ``npm ci`` and the patch, unless they already ran for these very files."""
        with _unless_stamped(
            self._reports_dir / "node_modules" / ".mindweave-stamp",
            toolchain_stamp(self._reports_dir),
        ) as is_needed:
            if is_needed:
                # nothing we use needs an install script, and one could do anything
                npm_ci = self._node.npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
                self._run("npm ci", npm_ci)
                self._run("patch", [str(self._node.executable), PATCH])

    def build_app(self) -> None:
        """Build the code of the pages, unless it already is for these files and this base path.

        The app before this one is kept, for who publishes at two base paths in turn.
        """
        stamp_file = self._app_dir / ".mindweave-stamp"
        stamp = app_stamp(self._reports_dir, self._base_path)
        if self._app_dir.exists() and not _is_stamped(stamp_file, stamp):
            before, aside = (self._app_dir.with_name(name) for name in ("before", "aside"))
            shutil.rmtree(aside, ignore_errors=True)
            self._app_dir.rename(aside)
            if before.exists():
                before.rename(self._app_dir)
            aside.rename(before)
        with _unless_stamped(stamp_file, stamp) as is_needed:
            if is_needed:
                # as Evidence's own command has it: Node's usual heap is too small on some machines
                self._run("app", [str(self._node.executable), HEAP, "scripts/app.mjs"])

    def render(self) -> Path:
        """Return the folder of a site with the exported data; a page with an error is a failure."""
        self.exported_dir.rename(self._app_dir / "static" / "data")
        self._run("render", [str(self._node.executable), HEAP, "scripts/render.mjs"])
        # Evidence ends with 0 although a query failed
        if page_error := self._first_page_error():
            raise PublishError(f"a page of the site failed: {page_error} (log: {self._log_path})")
        if not (self._build_dir / "index.html").is_file():
            raise PublishError(f"the build made no index.html: see {self._log_path}")
        (self._build_dir / ".nojekyll").touch()
        return self._build_dir

    def forget_data(self) -> None:
        """Remove everything that a site was or would have been made of, but for the app."""
        for folder in (
            self.exported_dir,
            self._app_dir / "static" / "data",
            self._app_dir / ".evidence-queries",
            self._app_dir / ".svelte-kit" / "output" / "prerendered",
            self._build_dir,
        ):
            shutil.rmtree(folder, ignore_errors=True)

    def _first_page_error(self) -> str | None:
        self._log.flush()
        text = ANSI_COLOUR.sub("", self._log_path.read_text(encoding="utf-8", errors="replace"))
        found = re.search(r"Error in [^\n]*", text)
        return found.group().strip() if found else None

    def _run(self, what: str, command: list[str]) -> None:
        environment = {
            name: value for name, value in os.environ.items() if PASSED_ENVIRONMENT.fullmatch(name)
        } | {
            "PATH": self._node.search_path(),
            "MINDWEAVE_BASE_PATH": self._base_path,
            **EVIDENCE_ENVIRONMENT,
        }
        self._log.write(f"$ {what}\n")
        self._log.flush()
        process = subprocess.Popen(  # noqa: S603, a fixed command
            command,
            cwd=self._reports_dir,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(self._limit)
        except BaseException as error:
            # the whole group: Evidence starts Vite through a shell
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                message = f"{what} took over {self._limit:.0f} s: see {self._log_path}"
                raise PublishError(message) from None
            raise
        if status != 0:
            page_error = self._first_page_error()
            reason = f": {page_error}" if page_error else ""
            raise PublishError(f"{what} ended with {status}{reason} (log: {self._log_path})")


def toolchain_stamp(reports_dir: Path) -> str:
    """Return what must be unchanged for the installed packages to be good."""
    return _digest(reports_dir, [reports_dir / "package-lock.json", reports_dir / PATCH])


def app_stamp(reports_dir: Path, base_path: str) -> str:
    """Return what must be unchanged for the built app to be good."""
    files = [path for name in APP_SOURCES for path in sorted((reports_dir / name).rglob("*"))]
    digest = _digest(
        reports_dir,
        [
            *(path for path in files if path.is_file()),
            reports_dir / "evidence.config.yaml",
            reports_dir / "scripts" / "app.mjs",
        ],
    )
    return f"{toolchain_stamp(reports_dir)} {digest} {base_path}"


def _digest(folder: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder)} {len(content)} ".encode() + content)
    return digest.hexdigest()


def _is_stamped(stamp_file: Path, stamp: str) -> bool:
    return stamp_file.is_file() and stamp_file.read_text(encoding="utf-8") == stamp


@contextmanager
def _unless_stamped(stamp_file: Path, stamp: str) -> Iterator[bool]:
    """Tell whether the block must do its work; the stamp is written when it ends well."""
    is_needed = not _is_stamped(stamp_file, stamp)
    if is_needed:
        stamp_file.unlink(missing_ok=True)
    yield is_needed
    if is_needed:
        stamp_file.write_text(stamp, encoding="utf-8")


def _old_site(site_dir: Path) -> Path | None:
    """Return the folder behind ``site_dir``; refuse to replace anything that is not ours."""
    if site_dir.is_symlink():
        target = site_dir.parent / os.readlink(site_dir)
        if target.parent == site_dir.parent and target.name.startswith(f".{site_dir.name}."):
            return target
        raise PublishError(f"{site_dir} is a link to somewhere else: name another folder")
    if site_dir.exists() and not (site_dir.is_dir() and not any(site_dir.iterdir())):
        raise PublishError(f"{site_dir} holds other files: name a new or empty folder")
    return None


def _swap(build_dir: Path, site_dir: Path) -> None:
    version = site_dir.with_name(f".{site_dir.name}.{uuid.uuid4().hex[:12]}")
    link = version.with_name(f"{version.name}.link")
    try:
        shutil.move(build_dir, version)
        if site_dir.is_dir() and not site_dir.is_symlink():
            site_dir.rmdir()
        link.symlink_to(version.name)
        link.replace(site_dir)
    except BaseException:
        link.unlink(missing_ok=True)
        shutil.rmtree(version, ignore_errors=True)
        raise


@contextmanager
def _turn(reports_dir: Path) -> Iterator[None]:
    """Hold the only right to build in the reports folder; the system frees it when we die."""
    path = reports_dir / ".lock"
    try:
        with FileLock(path, timeout=LOCK_LIMIT_SECONDS):
            yield
    except Timeout:
        raise PublishError(
            f"another site is still being built (lock: {path}): try again later"
        ) from None
