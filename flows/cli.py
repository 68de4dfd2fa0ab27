"""The `mindweave` command: parse, call one step, print a line.

Exit status: 0 done, 1 failed, 2 wrong use; `diff` ends with 3 where something differs.
"""

import gc
import json
import sys
import traceback
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
)

from dlt_pipelines.config import Settings, read_settings
from dlt_pipelines.errors import MindweaveError, UsageError
from flows import intake_cli

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="What your LLM use cost, who caused it, and whether that is the number on the invoice.",
)
app.add_typer(intake_cli.tokens, name="tokens")
app.add_typer(intake_cli.dead_letters, name="dead-letters")
app.command()(intake_cli.serve)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

DIFFERENT = 3
INTERRUPTED = 130  # what Typer, too, makes of Ctrl-C

Customer = Annotated[
    str | None, typer.Option("--customer", help="The customer's slug. Default: MINDWEAVE_CUSTOMER.")
]
Source = Annotated[
    list[str] | None,
    typer.Option("--source", help="A name that `mindweave sources` prints; may be repeated."),
]
Paths = Annotated[
    list[Path] | None,
    typer.Option("--path", help="A folder or file of transcripts; may be repeated."),
]
User = Annotated[
    str | None, typer.Option("--user", help="Whose --path it is; kept as a pseudonym only.")
]
Team = Annotated[str | None, typer.Option("--team", help="The team that --path belongs to.")]
To = Annotated[str, typer.Option("--to", help="The other warehouse, as MINDWEAVE_WAREHOUSE.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 1 where a line or file was quarantined.")
]


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise UsageError(f"{text!r} is not a day: write it as 2026-11-01") from None


def _time(text: str) -> datetime:
    from flows.replay import read_time

    return read_time(text)


AsKnownOn = Annotated[
    date, typer.Option("--as-known-on", parser=_day, metavar="DATE", help="A day, as 2026-11-01.")
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        parser=_time,
        metavar="TIME",
        help="A time, as 2026-11-01T12:00:00Z, or the end of a day, as 2026-11-01. Default: now.",
    ),
]
Into = Annotated[
    str | None,
    typer.Option("--into", metavar="SCHEMA", help="For the marts. Default: replay_<customer>."),
]
From = Annotated[
    date | None,
    typer.Option("--from", parser=_day, metavar="DATE", help="The first day that counts."),
]
Until = Annotated[
    date | None,
    typer.Option("--to", parser=_day, metavar="DATE", help="The first day that counts no more."),
]
Prices = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        help="A CSV file as seeds/model_prices.csv; what it does not price keeps its price.",
    ),
]
Discounts = Annotated[
    Path | None,
    typer.Option("--discounts", help="A CSV file instead of seeds/contract_discounts.csv."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", help="A CSV file for the differences, with every digit."),
]

Base = Annotated[str, typer.Option("--base", help="A git revision: a commit, branch or tag.")]
Markdown = Annotated[
    Path | None,
    typer.Option("--markdown", help="Also write it as Markdown to a file; - prints that instead."),
]


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Take the options of every command."""
    main.debug = debug  # type: ignore[attr-defined]


@app.command()
def run(
    customer: Customer = None,
    source: Source = None,
    path: Paths = None,
    user: User = None,
    team: Team = None,
    strict: Strict = False,
) -> None:
    """Load, check, build and publish; without configuration, your own Claude Code transcripts."""
    from flows import steps
    from flows.locks import exclusive_run
    from flows.summary import print_summary

    settings = read_settings(customer)
    overrides = _overrides(source, path, user, team)
    _check_names(source)
    with exclusive_run(settings):
        with _progress() as progress:
            outcome = steps.load_check_build(settings, source or (), overrides, progress)
        _report_load(outcome.load)
        if outcome.failure:
            raise outcome.failure
        if not outcome.load.results:
            raise typer.Exit(1)
        print_summary(settings, out)
        for check in outcome.failed_checks:
            err.print(
                f"check failed: {check.table_name}.{check.column_name or '*'} {check.expectation}"
            )
        site = steps.site_folder(settings)
        if steps.needs_site(settings):
            if err.is_terminal:
                err.print("Building the site …")
            steps.publish_site(settings)
        out.print(f"Site: {site}/index.html (serve it: python -m http.server -d {site})")
    if outcome.load.failures or outcome.failed_checks or _is_refused(outcome.load, strict):
        raise typer.Exit(1)


@app.command()
def load(
    customer: Customer = None,
    source: Source = None,
    path: Paths = None,
    user: User = None,
    team: Team = None,
    strict: Strict = False,
) -> None:
    """Load what is new into the raw schema."""
    from flows import steps
    from flows.locks import exclusive_run

    settings = read_settings(customer)
    overrides = _overrides(source, path, user, team)
    _check_names(source)
    with exclusive_run(settings), _progress() as progress:
        outcome = steps.load_sources(settings, source or (), overrides, progress)
    _report_load(outcome)
    if outcome.failures or _is_refused(outcome, strict):
        raise typer.Exit(1)


@app.command()
def drain(customer: Customer = None, strict: Strict = False) -> None:
    """Load the events that were pushed; every load begins with it."""
    from flows import steps
    from flows.locks import exclusive_run

    settings = read_settings(customer)
    with exclusive_run(settings), _progress("Draining") as progress:
        outcome = steps.drain_events(settings, progress)
    _report_load(outcome)
    if not (outcome.results or outcome.failures):
        out.print("events: nothing new")
    if outcome.failures or _is_refused(outcome, strict):
        raise typer.Exit(1)


@app.command()
def build(customer: Customer = None) -> None:
    """Build and test every model from what is loaded."""
    from flows import steps
    from flows.locks import exclusive_run
    from flows.summary import print_summary

    settings = read_settings(customer)
    with exclusive_run(settings):
        steps.build_models(settings)
        print_summary(settings, out)


@app.command()
def close(
    month: Annotated[
        str | None, typer.Argument(help="The month, as 2026-10. Without one, both numbers of all.")
    ] = None,
    customer: Customer = None,
) -> None:
    """Freeze what is billed in a month; later changes are posted in the first open one."""
    from flows.close import close_months, print_ledger, read_month
    from flows.locks import exclusive_run

    settings = read_settings(customer)
    if month is None:
        print_ledger(settings, out)
        return
    last = read_month(month)
    with exclusive_run(settings):
        for closed in close_months(settings, last):
            out.print(str(closed))


@app.command()
def report(
    customer: Customer = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The folder of the site; it is replaced at once, or not at all."
        ),
    ] = None,
    base_path: Annotated[
        str, typer.Option(help="Where a host will serve it, as /name; without it, at its root.")
    ] = "",
) -> None:
    """Build the site from the public marts."""
    from flows import steps

    settings = read_settings(customer)
    site = steps.publish_site(settings, to, base_path)
    out.print(f"Site: {site}/index.html (serve it: python -m http.server -d {site})")


@app.command()
def copy(to: To, customer: Customer = None) -> None:
    """Copy all that is loaded to another warehouse, where loading can go on."""
    from dlt_pipelines.copy_warehouse import copy_raw, settings_of_other
    from flows.locks import exclusive_run

    settings = read_settings(customer)
    target = settings_of_other(settings, to)
    with (
        exclusive_run(settings),
        exclusive_run(target),
        _progress("Copying rows", MofNCompleteColumn()) as progress,
    ):
        for table in copy_raw(settings, target, progress):
            out.print(f"{table.name}: {table.rows:,} rows, {table.copied:,} copied")
    out.print(
        "Both hold the same now. Next: set MINDWEAVE_WAREHOUSE to the new one and run "
        f"`mindweave build --customer {settings.customer}`"
    )


@app.command()
def compare(to: To, customer: Customer = None) -> None:
    """Compare every public mart with the same one in another warehouse, row by row."""
    from dlt_pipelines.copy_warehouse import settings_of_other
    from flows.compare import compare_marts, public_marts

    settings = read_settings(customer)
    comparisons = compare_marts(settings, settings_of_other(settings, to), public_marts(settings))
    for comparison in comparisons:
        out.print(str(comparison))
    if differing := sum(not comparison.is_equal for comparison in comparisons):
        raise MindweaveError(f"{differing} of {len(comparisons)} marts differ")


@app.command()
def conformance(
    case: Annotated[
        list[str] | None, typer.Option("--case", help="Only this case; may be repeated.")
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--command", help="Another tool: it gets a case's folder and prints JSON."),
    ] = None,
) -> None:
    """Hold MindWeave, or another tool, against transcripts with exact answers."""
    from flows.conformance import judged, read_cases

    cases = read_cases(case or ())
    if err.is_terminal:
        err.print(f"Working on {len(cases)} cases …")
    passed = 0
    for name, comparison in judged(cases, command):
        passed += not comparison.differences
        out.print(f"{name}: {comparison}", markup=False)
    out.print(f"{passed} of {len(cases)} cases ok")
    if passed < len(cases):
        raise typer.Exit(1)


@app.command()
def restate(as_known_on: AsKnownOn, customer: Customer = None, output: Output = None) -> None:
    """Show what every period costs with the price book as it was known on a day."""
    from flows import scenarios
    from flows.locks import exclusive_run

    settings = read_settings(customer)
    _check_folder(output)
    with exclusive_run(settings):
        scenario = scenarios.restate(settings, as_known_on)
        _report_scenario(settings, scenario, "Restated", output, by_month=True)


@app.command()
def replay(as_of: AsOf = None, into: Into = None, customer: Customer = None) -> None:
    """Build every mart from raw alone, beside the live ones: as known now, or at a time."""
    from flows import steps
    from flows.locks import exclusive_run
    from flows.replay import as_text
    from flows.replay import replay as replay_marts

    settings = read_settings(customer)
    with exclusive_run(settings):
        if err.is_terminal:
            err.print("Building every mart from raw …")
        found = replay_marts(settings, as_of, into)
        for mart in found.not_built:
            out.print(f"{mart}: not built live")
        for comparison in found.comparisons:
            out.print(comparison.said("live", "replayed"))
        if not as_of and steps.needs_build(settings):
            out.print("The live marts do not show all that is loaded: run `mindweave build`")
    differing = sum(not comparison.is_equal for comparison in found.comparisons)
    out.print(
        f"{found.schema} holds every mart as known at {as_text(found.known_until)}; "
        f"{differing} of {len(found.comparisons)} differ from the live ones"
    )


@app.command()
def whatif(
    prices: Prices = None,
    discounts: Discounts = None,
    since: From = None,
    until: Until = None,
    customer: Customer = None,
    output: Output = None,
) -> None:
    """Show what a period would cost with other prices or another contract."""
    from flows import scenarios
    from flows.locks import exclusive_run

    settings = read_settings(customer)
    _check_folder(output)
    if since and until and since >= until:
        raise UsageError(f"--from {since} is not before --to {until}: there is no day to compare")
    if not (prices or discounts):
        raise UsageError("nothing would change: name a file with --prices or --discounts")
    price_rows = scenarios.read_rows(prices, "model_prices") if prices else []
    discount_rows = scenarios.read_rows(discounts, "contract_discounts") if discounts else None
    with exclusive_run(settings):
        scenario = scenarios.what_if(settings, price_rows, discount_rows)
        _report_scenario(settings, scenario, "What if", output, since=since, until=until)


@app.command()
def diff(base: Base, customer: Customer = None, markdown: Markdown = None) -> None:
    """Show what the project's changes since a git revision do to every metric.

    Exit status: 0 nothing changes, 3 something does.
    """
    from flows.locks import exclusive_run
    from flows.metric_diff import as_markdown, metric_diff, print_diff

    settings = read_settings(customer)
    _check_folder(markdown)
    with exclusive_run(settings):
        found = metric_diff(settings, base)
    if markdown == Path("-"):
        typer.echo(as_markdown(found), nl=False)
    else:
        print_diff(found, out)
        if markdown:
            _write(markdown, as_markdown(found))
    if not found.is_empty:
        raise typer.Exit(DIFFERENT)


@app.command()
def sources(name: Annotated[str | None, typer.Argument()] = None) -> None:
    """List the installed sources, or print one's configuration as JSON Schema."""
    from dlt_pipelines.plugin import find_plugin, installed_plugins

    if name:
        schema = find_plugin(name).configuration.model_json_schema()
        typer.echo(json.dumps(schema, indent=2))
        return
    for plugin in installed_plugins().values():
        typer.echo(f"{plugin.name} {plugin.version}")


@app.command()
def pseudonym(
    names: Annotated[list[str], typer.Argument(metavar="NAME...")], customer: Customer = None
) -> None:
    """Print the pseudonyms of people (e-mail, login or vendor id), for seeds/identity_map.csv."""
    from dlt_pipelines.privacy import customer_key

    settings = read_settings(customer)
    key = customer_key(settings.home, settings.customer)
    for name in names:
        typer.echo(f"{key.person(name.lower() if '@' in name else name)} {name}")


@app.command()
def schedule(customer: Customer = None) -> None:
    """Run every hour under Prefect, with retries, until stopped."""
    from flows.serve import serve_hourly

    settings = read_settings(customer)
    err.print(f"Refreshing customer {settings.customer} now and every hour; Ctrl-C stops it.")
    serve_hourly(settings)


def main() -> None:
    """Run the command; an error is one line, with a stack trace only under --debug."""
    main.debug = False  # type: ignore[attr-defined]
    try:
        app(standalone_mode=True)
    except MindweaveError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:
            raise
        _fail("stopped; what was loaded stays, the next run goes on from there", INTERRUPTED)
    except Exception as error:
        first = next(iter(str(error).splitlines()), "")
        _fail(f"unexpected {type(error).__name__}: {first[:200]}; --debug shows where", 1)
    finally:
        gc.freeze()  # so that Python, at its end, does not look for garbage in all that it imported


def _fail(message: str, status: int) -> None:
    if main.debug:  # type: ignore[attr-defined]
        traceback.print_exc()
    sys.stdout.flush()
    typer.echo(f"mindweave: {message}", err=True)
    sys.exit(status)


def _check_names(sources: list[str] | None) -> None:
    """Refuse a source that is not installed as wrong use, before anything is loaded."""
    from dlt_pipelines.plugin import find_plugin

    for name in sources or ():
        find_plugin(name)


def _overrides(
    sources: list[str] | None, paths: list[Path] | None, user: str | None, team: str | None
) -> dict[str, Any] | None:
    if not paths:
        if user or team:
            raise UsageError("--user and --team say whose --path it is: add --path")
        return None
    if sources is not None and len(sources) != 1:
        raise UsageError("--path belongs to one source: name exactly one with --source")
    roots = [{"path": path.resolve(), "user": user, "team": team} for path in paths]
    return {"roots": roots}


class _progress:  # noqa: N801  # reads as the function it stands for
    """A bar on a terminal, by default of bytes; nothing in a pipe."""

    def __init__(self, title: str = "Loading", count: ProgressColumn | None = None) -> None:
        self._bar = Progress(
            TextColumn(title),
            BarColumn(),
            count or DownloadColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._task = self._bar.add_task("load", total=None, visible=False)

    def __enter__(self) -> Any:
        self._bar.start()
        return lambda done, total: self._bar.update(
            self._task, completed=done, total=total, visible=done < total
        )

    def __exit__(self, *error: object) -> None:
        self._bar.stop()


def _report_load(outcome: Any) -> None:
    for result in outcome.results:
        counts = result.counts
        if result.load_id is None:
            out.print(f"{result.source}: nothing new")
            continue
        read = f"{counts.rows_read:,} lines of {counts.files_read:,} files"
        if not counts.files_read:
            read = f"{counts.rows_read:,} rows"
        out.print(
            f"{result.source}: {read}, {counts.rows_loaded:,} loaded, "
            f"{counts.rows_ignored:,} ignored, {counts.rows_quarantined:,} quarantined, "
            f"in {result.seconds:.1f} s"
        )
    for source, error in outcome.failures.items():
        if main.debug:  # type: ignore[attr-defined]
            traceback.print_exception(error)
        prefix = "" if source in str(error) else f"source {source}: "
        typer.echo(f"mindweave: {prefix}{error}", err=True)


def _report_scenario(
    settings: Settings,
    scenario: Settings,
    title: str,
    output: Path | None,
    since: date | None = None,
    until: date | None = None,
    by_month: bool = False,
) -> None:
    from flows.cost_changes import as_csv, cost_changes, print_changes

    changes = cost_changes(settings, scenario, since, until)
    print_changes(changes, out, title, by_month)
    if output:
        _write(output, as_csv(changes, by_month))
    out.print(f"Every mart of it is in {scenario.marts_schema}, until the next of its kind.")


def _check_folder(path: Path | None) -> None:
    """Refuse a file that could not be written before anything takes its time."""
    if path and not path.absolute().parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise MindweaveError(f"cannot write {path}: {error.strerror}") from None
    out.print(f"Written: {path}")


def _is_refused(outcome: Any, strict: bool) -> bool:
    return strict and any(result.counts.rows_quarantined for result in outcome.results)
