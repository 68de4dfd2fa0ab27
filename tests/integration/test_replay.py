"""`replay`: every mart again from raw alone, as it is known now or as it was at a time."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest

from dlt_pipelines.config import Settings
from dlt_pipelines.copy_warehouse import copy_raw
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import UsageError
from dlt_pipelines.load import load_source, make_missing_tables
from flows import close, steps
from flows.checks import CheckResult, record_results
from flows.compare import compare_marts, public_marts
from flows.replay import as_text, read_time, replay
from tests import otlp
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
# a report of the loads themselves
OF_THE_LOADS = ("data_freshness", "landing_checks", "load_report")
PARTS = ("first", "second")

Bytes = dict[str, bytes]


@dataclass
class Company:
    """What there is to load in two parts; the second corrects, completes or explains the first."""

    settings: Settings
    folder: Path

    def load(self, part: str) -> None:
        """Load one part."""
        is_first = part == "first"
        if is_first:
            records = [answer(1), grown(3), tool_use(2), b"not json"]
            request = otlp.event("api_error", client_request_id="c1")
        else:
            earlier = answer(1, timestamp="2025-10-02T23:59:59Z")
            records = [earlier, grown(412), tool_result(2), answer(3)]
            request = otlp.api_request(2, client_request_id="c1", request_id="req_c1")
        transcript = write(self.folder / "t" / f"{part}.jsonl", *records)
        load(self.settings, transcript, root={"user": "dana", "team": "search"})
        telemetry = otlp.write(self.folder / "otlp" / f"{part}.json", otlp.logs(request))
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


@dataclass
class Story:
    """What was loaded and built, and what the marts were after each build."""

    company: Company
    folder: Path
    between: datetime
    first: Bytes
    live: Bytes

    @property
    def settings(self) -> Settings:
        return self.company.settings

    def replayed(self, schema: str) -> Bytes:
        """Return the marts of a replay."""
        settings = Settings(self.settings.home, self.settings.warehouse_url, "local", "replay")
        if schema != settings.marts_schema:
            settings = Settings(*vars(settings).values(), into=schema)
        return exported(settings, self.folder)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Load, build, close a month, load what changes it, build."""
    folder = tmp_path_factory.mktemp("replay")
    company = Company(home_settings(folder / "home"), folder)
    settings = company.settings
    company.load("first")
    company.load_bill(1000, False)
    steps.build_models(settings)
    first = exported(settings, folder)
    between = datetime.now(UTC)
    close.freeze(settings, OCTOBER, OCTOBER)
    company.load("second")
    company.load_bill(2000, True)
    steps.build_models(settings)
    return Story(company, folder, between, first, exported(settings, folder))


def distort(settings: Settings) -> None:
    """Put the raw rows in another order, with others between them of a load that never ended."""
    with duckdb.connect(settings.warehouse_url) as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'customer_local_raw'"
        ).fetchall()
        for (table,) in tables:
            name = f"customer_local_raw.{table}"
            columns = [row[0] for row in connection.execute(f"describe {name}").fetchall()]
            of_nobody = [f"'never' as {column}" for column in columns if column.endswith("load_id")]
            tokens = [f"{column} + 1 as {column}" for column in columns if "tokens" in column]
            if table.startswith("_dlt"):
                of_nobody = tokens = []
            if replaced := ", ".join([*of_nobody, *tokens]):
                connection.execute(f"insert into {name} select * replace ({replaced}) from {name}")
            connection.execute(f"create table reversed as select * from {name} order by rowid desc")
            connection.execute(f"truncate {name}")
            connection.execute(f"insert into {name} select * from reversed")
            connection.execute("drop table reversed")


def test_as_of_a_time_the_marts_say_what_they_said_then(story: Story) -> None:
    assert differing(story.first, story.live) != []

    printed = succeeds(
        mindweave(story.settings.home, "replay", "--as-of", as_text(story.between))
    )

    assert differing(story.replayed("replay_local"), story.first) == []
    lines = printed.splitlines()
    assert "mcp_tool_calls: differs, in status, latency_ms" in printed
    assert "capture_rate: equal, 0 rows" in lines
    assert lines[-1].startswith(
        f"replay_local holds every mart as known at {as_text(story.between)}; "
    )


def test_a_replay_is_byte_by_byte_what_is_live_whatever_the_order_of_rows(story: Story) -> None:
    distort(story.settings)
    found = replay(story.settings, into="twice")

    assert [str(mart) for mart in found.comparisons if not mart.is_equal] == []
    assert differing(story.replayed("twice"), story.live) == []


def test_live_schemas_stay(story: Story) -> None:
    assert differing(exported(story.settings, story.folder), story.live) == []
