"""`replay`: every mart again from raw alone, as it is known now or as it was at a time."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest

from dlt_pipelines.config import Settings
from dlt_pipelines.errors import UsageError
from dlt_pipelines.load import load_source, make_missing_tables
from flows import close
from flows.checks import CheckResult, record_results
from flows.compare import compare_marts, public_marts
from flows.dbt_project import DbtProject
from flows.replay import Replay, as_text, read_time, replay
from tests import otlp
from tests.project_copy import ProjectCopy
from tests.transcripts import (
    MODEL,
    answer,
    assert_one_line,
    home_settings,
    load,
    mindweave,
    rows,
    succeeds,
    tool_result,
    tool_use,
    write,
)

OCTOBER = date(2025, 10, 1)
CSV = {
    "vendor": {"constant": "anthropic"},
    "requested_model": {"constant": MODEL},
    "observed_at": {"constant": "2025-10-05T10:00:00Z"},
    "message_id": "id",
    "input_tokens": "in",
    "output_tokens": {"constant": "0"},
}
# another price of all that was called, which becomes known the day after
PRICE = {
    "vendor": "anthropic",
    "model_id": MODEL,
    "price_band": "standard",
    "valid_from_date": "2025-10-01",
    "input_usd_per_mtok": 40,
    "output_usd_per_mtok": 200,
    "confidence": "high",
    "source": "a corrected list",
}
# a report of the loads themselves
OF_THE_LOADS = ("data_freshness", "landing_checks", "load_report")

Bytes = dict[str, bytes]


@dataclass
class Company:
    """What there is to load in two parts; the second corrects, completes or explains the first."""

    settings: Settings
    folder: Path

    def load(self, part: str) -> None:
        """Load one part."""
        is_first = part == "first"
        # failed requests that name no id: of one the event lands first, of the other the span
        one, other = (otlp.span("claude_code.llm_request", n, status=2) for n in (8, 9))
        if is_first:
            records: list[Any] = [answer(1), grown(3), tool_use(2), b"not json"]
            request = otlp.event("api_error", client_request_id="c1")
            failed, failed_span = otlp.within(one, otlp.event("api_error", 9)), other
        else:
            earlier = answer(1, timestamp="2025-10-02T23:59:59Z")
            records = [earlier, grown(412), tool_result(2), answer(3)]
            request = otlp.api_request(2, client_request_id="c1", request_id="req_c1")
            failed, failed_span = otlp.within(other, otlp.event("api_error", 10)), one
        transcript = write(self.folder / "t" / f"{part}.jsonl", *records)
        load(self.settings, transcript, root={"user": "dana", "team": "search"})
        told = otlp.logs(request, failed), otlp.traces(failed_span)
        telemetry = otlp.write(self.folder / "otlp" / f"{part}.json", *told)
        load_source(self.settings, "claude_code_otel", {"roots": [{"path": str(telemetry)}]})
        make_missing_tables(self.settings)

    def load_bill(self, tokens: int, has_passed: bool) -> None:
        """Load a record that is corrected in place, and what a check of it said."""
        log = self.folder / "calls.csv"
        log.write_text(f"id,in\n7,{tokens}\n", "utf-8")
        files = [{"path": str(log), "kind": "calls", "columns": CSV}]
        load_id = load_source(self.settings, "csv", {"files": files}).load_id
        told = ("csv", "of the bill", "call_events", None, "is_right", "warning", has_passed)
        assert load_id
        result = CheckResult(*told, None, None, datetime.now(UTC).replace(tzinfo=None))
        record_results(self.settings, [result])


def grown(tokens: int) -> dict[str, Any]:
    """Return an answer as far as it was streamed."""
    return answer("growing", usage={"output_tokens": tokens})


def build(settings: Settings) -> None:
    """Build as `mindweave build` does; what dbt tests is tested elsewhere."""
    DbtProject(settings).build("--exclude-resource-type", "unit_test", "test")


def exported(settings: Settings, folder: Path) -> Bytes:
    """Return every public mart as a Parquet file, ordered by all that it holds."""
    found = {}
    with duckdb.connect(settings.warehouse_url, read_only=True) as connection:
        for mart in public_marts(settings):
            file = folder / f"{mart}.parquet"
            ordered = f"select * from {settings.marts_schema}.{mart} order by all"
            connection.execute(f"copy ({ordered}) to '{file}' (format parquet)")
            found[mart] = file.read_bytes()
    assert len(found) > 15
    return found


def differing(one: Bytes, other: Bytes) -> list[str]:
    """Return the marts whose bytes differ."""
    return [mart for mart in one.keys() | other.keys() if one.get(mart) != other.get(mart)]


def live_state(settings: Settings) -> dict[str, Any]:
    """Return all that the customer's schemas hold: every row of a table, what a view says."""
    with duckdb.connect(settings.warehouse_url, read_only=True) as connection:
        connection.execute("create temp macro is_live(name) as name like 'customer_local%'")
        views = connection.execute(
            "select schema_name || '.' || view_name, sql from duckdb_views() "
            "where is_live(schema_name)"
        ).fetchall()
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() "
            "where is_live(schema_name) order by 1"
        ).fetchall()
        return dict(views) | {
            name: connection.execute(f"select * from {name} order by all").fetchall()
            for (name,) in tables
        }


def distort(settings: Settings) -> None:
    """Put the raw rows in another order, with others between them of a load that never ended."""
    with duckdb.connect(settings.warehouse_url) as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'customer_local_raw'"
        ).fetchall()
        for (table,) in tables:
            name = f"customer_local_raw.{table}"
            columns = [row[0] for row in connection.execute(f"describe {name}").fetchall()]
            changed = [f"'never' as {column}" for column in columns if column.endswith("load_id")]
            changed += [f"{column} + 1 as {column}" for column in columns if "tokens" in column]
            if changed and not table.startswith("_dlt"):
                replaced = f"* replace ({', '.join(changed)})"
                connection.execute(f"insert into {name} select {replaced} from {name}")
            connection.execute(f"create table turned as select * from {name} order by rowid desc")
            connection.execute(f"truncate {name}")
            connection.execute(f"insert into {name} select * from turned")
            connection.execute("drop table turned")


@dataclass
class Story:
    """What the marts were after each build, and what two replays made of the same rows later."""

    settings: Settings
    folder: Path
    between: datetime
    after_first: Bytes
    live: Bytes
    state: dict[str, Any]
    printed: str
    as_of: Bytes
    now: Replay
    again: Bytes


@pytest.fixture(scope="module", autouse=True)
def one_key() -> Iterator[None]:
    """Give every home the same pseudonyms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINDWEAVE_PRIVACY_KEY", "the same pseudonyms everywhere, so it is the same")
        yield


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Load, build, close a month, load what changes it, build; and replay both.

    What was known first is replayed by a project whose price book says more since then.
    """
    folder = tmp_path_factory.mktemp("replay")
    settings = home_settings(folder / "home")
    company = Company(settings, folder)
    company.load("first")
    company.load_bill(1000, False)
    build(settings)
    after_first = exported(settings, folder)
    between = datetime.now(UTC)
    close.freeze(settings, OCTOBER, OCTOBER)
    company.load("second")
    company.load_bill(2000, True)
    build(settings)
    live = exported(settings, folder)
    distort(settings)
    state = live_state(settings)
    project = ProjectCopy(folder / "project")
    project.add_row("model_prices", **PRICE, known_from_date=between.date() + timedelta(days=1))
    printed = succeeds(project.command(settings.home, "replay", "--as-of", as_text(between)))
    as_of = exported(replace(settings, schema_prefix="replay"), folder)
    now = replay(settings, into="once_more")
    again = exported(replace(settings, schema_prefix="replay", into="once_more"), folder)
    return Story(settings, folder, between, after_first, live, state, printed, as_of, now, again)


def test_as_of_a_time_every_mart_is_byte_by_byte_what_it_was_then(story: Story) -> None:
    assert differing(story.as_of, story.after_first) == []
    assert set(differing(story.live, story.after_first)) > {
        *("mcp_calls", "mcp_tool_calls", "cost_ledger", "landing_checks", "load_report"),
    }


def test_what_was_corrected_completed_explained_or_closed_later_was_not_known(
    story: Story,
) -> None:
    calls = """
    select call_id, input_tokens, output_tokens, usage_date from {marts}.mcp_calls
    where call_id in ('anthropic/msg_1', 'anthropic/msg_growing', 'anthropic/7',
                      'anthropic/c1', 'anthropic/req_c1')
    order by call_id
    """
    then = replace(story.settings, schema_prefix="replay")
    third, second, told = date(2025, 10, 3), date(2025, 10, 2), date(2026, 8, 3)
    assert rows(then, calls) == [
        ("anthropic/7", 1000, 0, date(2025, 10, 5)),
        ("anthropic/c1", 0, 0, told),
        ("anthropic/msg_1", 6, 187, third),
        ("anthropic/msg_growing", 6, 3, third),
    ]
    assert rows(story.settings, calls) == [
        ("anthropic/7", 2000, 0, date(2025, 10, 5)),
        ("anthropic/msg_1", 6, 187, second),
        ("anthropic/msg_growing", 6, 412, third),
        ("anthropic/req_c1", 6, 187, told),
    ]
    of_closes = "select bool_or(is_closed), count(reason) > 0 from {marts}.cost_ledger"
    assert rows(then, of_closes) == [(False, False)]
    assert rows(story.settings, of_closes) == [(True, True)]
    of_checks = "select is_success from {marts}.landing_checks"
    assert (rows(then, of_checks), rows(story.settings, of_checks)) == ([(False,)], [(True,)])


def test_a_failed_request_without_an_id_is_one_call_whatever_of_it_lands_first(
    story: Story,
) -> None:
    failed = """
    select cast(called_at as time), status from {marts}.mcp_calls
    where call_id like 'record/%' order by called_at
    """
    # each by the first of its two that is known
    event_of_one = span_of_other = (time(10, 15, 12, 640000), "error")
    span_of_one = (time(10, 15, 11, 640000), "error")
    then = replace(story.settings, schema_prefix="replay")
    assert rows(then, failed) == [event_of_one, span_of_other]
    assert rows(story.settings, failed) == [span_of_one, span_of_other]


def test_a_replay_is_byte_by_byte_what_is_live_whatever_the_order_of_rows(story: Story) -> None:
    assert differing(story.again, story.live) == []
    assert [str(mart) for mart in story.now.comparisons if not mart.is_equal] == []
    assert len(story.now.comparisons) == len(story.live)


def test_nothing_in_a_replay_tells_when_it_was_run(story: Story) -> None:
    """Intermediate tables know when a row was processed: in a replay, at the time it is of."""
    schema = replace(story.settings, into="once_more").staging_schema
    for table in ("int_loads__numbered", "int_calls__priced"):
        assert rows(story.settings, f"select distinct processed_at from {schema}.{table}") == [
            (story.now.known_until.replace(tzinfo=None),)
        ]


def test_the_command_says_how_each_mart_differs_from_the_live_one(story: Story) -> None:
    *marts, last = story.printed.splitlines()

    assert len(marts) == len(story.live)
    assert "capture_rate: equal, 0 rows" in marts
    assert (
        "mcp_tool_calls: differs, in status, latency_ms; 1 rows only live, 1 only replayed" in marts
    )
    differ = len(differing(story.live, story.after_first))
    assert last == (
        f"replay_local holds every mart as known at {as_text(story.between)}; "
        f"{differ} of {len(marts)} differ from the live ones"
    )


def test_no_replay_touches_what_is_live(story: Story) -> None:
    assert live_state(story.settings) == story.state
    assert len(story.state) > 50


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-01T12:00:00Z", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("2026-11-01t12:00:00.5z", datetime(2026, 11, 1, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-01 12:00:00", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("2026-11-01T12:00", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("2026-11-01T00:30:00+02:00", datetime(2026, 10, 31, 22, 30, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_a_time_is_of_utc_unless_it_names_a_zone_and_a_day_is_its_end(
    text: str, time: datetime
) -> None:
    assert read_time(text) == time


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "yesterday", "2026-13-01", "2026-02-30", "20261101", "2026-W44-1", "12:00"),
        *("2026-11-01T25:00:00Z", "2026-11-01T12:00:00 Europe/Berlin", "2026-11-01T12:00:00+2"),
        *("0001-01-01T00:00:00+10:00", "2026-11-01T12:00:00Z; drop", "٢٠٢٦-11-01T12:00:00Z"),
    ],
)
def test_what_is_no_time_is_wrong_use(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time: write it as 2026-11-01T12:00:00Z") as said:
        read_time(text)
    assert "\n" not in str(said.value)


def test_a_time_that_is_not_over_or_before_all_that_is_known_is_wrong_use(story: Story) -> None:
    with pytest.raises(UsageError, match="is not over: leave out --as-of"):
        replay(story.settings, datetime.now(UTC) + timedelta(minutes=1))
    with pytest.raises(UsageError, match="nothing was known .*: the first load was complete at 2"):
        replay(story.settings, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        *(
            (name, "is no name for a schema")
            for name in ("", "Audit", "1st", "a-b", "a.b", "a" * 32)
        ),
        *((f"customer_{name}", "a customer's own") for name in ("local", "local_raw", "new")),
        ("main", "the schema main is there already, and no replay of customer local made it"),
        ("of_somebody", "the schema of_somebody_staging is there already"),
    ],
)
def test_a_schema_that_is_not_a_replays_is_wrong_use(story: Story, schema: str, said: str) -> None:
    with duckdb.connect(story.settings.warehouse_url) as connection:
        connection.execute("create schema if not exists of_somebody_staging")

    with pytest.raises(UsageError, match=said):
        replay(story.settings, into=schema)

    assert live_state(story.settings) == story.state


def test_the_command_ends_with_2_and_one_line(tmp_path: Path) -> None:
    for arguments in (("--as-of", "soon"), ("--into", "customer_local")):
        done = mindweave(tmp_path / "home", "replay", *arguments)
        assert done.returncode == 2
        assert_one_line(done.stderr)
    done = mindweave(tmp_path / "home", "replay")
    assert done.returncode == 1
    assert_one_line(done.stderr)
    assert "nothing is loaded for customer local" in done.stderr


def physical_state(url: str) -> list[tuple[Any, ...]]:
    """Return where PostgreSQL keeps each relation of the customer, and which transactions wrote."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select oid, relname, relfilenode, xmin::text from pg_class "
            "where relnamespace::regnamespace::text like 'customer_local%' order by oid"
        )
        found: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.execute("select xmin::text, team_id from customer_local.cost_by_team")
        return [*found, *cursor.fetchall()]


def test_on_a_server_loaded_in_another_order_it_is_the_same_and_nothing_else_is_written(
    story: Story, tmp_path: Path, postgres_database: str
) -> None:
    settings = Settings(tmp_path / "home", postgres_database, "local")
    company = Company(settings, tmp_path)
    company.load("second")
    company.load_bill(2000, True)
    company.load("first")
    with closing(psycopg2.connect(postgres_database)) as connection, connection.cursor() as cursor:
        cursor.execute("create schema customer_local")
        cursor.execute("create table customer_local.cost_by_team as select 'live' as team_id")
        connection.commit()
    before = physical_state(postgres_database)

    found = replay(settings, datetime.now(UTC), into="audit")

    assert physical_state(postgres_database) == before
    assert [mart.mart for mart in found.comparisons] == ["cost_by_team"]
    there = replace(settings, schema_prefix="replay", into="audit")
    marts = sorted(set(story.live) - {*OF_THE_LOADS, "cost_ledger", "ledger_by_month"})
    for comparison in compare_marts(story.settings, there, marts):
        assert comparison.is_equal, str(comparison)
    with pytest.raises(UsageError, match="the schema public is there already"):
        replay(settings, into="public")
