"""Events on their way from a store to the marts: none is lost, none counts twice."""

import json
import os
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dlt_pipelines.config import PROJECT_DIR, Settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.drain import drain
from dlt_pipelines.event_store import Entry
from dlt_pipelines.event_store.opening import open_store
from dlt_pipelines.load import make_missing_tables
from dlt_pipelines.sources.claude_code_otel import ClaudeCodeOtelPlugin
from flows import steps
from tests import otlp
from tests.contents import prompt_hash
from tests.dbt_process import dbt_process
from tests.pushed import AT, call, push
from tests.transcripts import (
    Killed,
    assert_one_line,
    command_environment,
    home_settings,
    mindweave,
    rows,
    succeeds,
)

MARTS = (
    *("event_log", "event_conflicts", "mcp_calls", "mcp_tool_calls", "call_sources"),
    *("cost_by_team_daily", "cost_by_mcp_daily"),
)
# what tells one order of loads from another, and nothing of the events
OF_THE_LOADS = ("load_id", "inserted_at", "processed_at")
BUILD_MARTS = (
    *("build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
    *("--select", *(f"+{mart}" for mart in MARTS)),
)
CANARY = "canary-4c1f"
INPUT = {"query": CANARY, "limit": 5}
MINUTE = timedelta(minutes=1)


def first_push(settings: Settings) -> None:
    """Push what was received first, some of it twice."""
    calls = [call(1, cost="0.123456789012345"), call(2, session_id=None), call("moved")]
    push(settings, [*calls, call(1, cost="0.123456789012345")])
    push(settings, [call("theirs", message_id="msg_kept", input_tokens=9)], AT)
    asked = call(3, unknown=CANARY, prompt=f" {CANARY.upper()}!", tool_input=INPUT)
    push(settings, [asked, call("alone", vendor=..., message_id=...)], AT)
    prompt = otlp.event("user_prompt", 7, prompt=CANARY)
    tool = otlp.tool_result(2, tool_input=json.dumps(INPUT))
    push(settings, logs=otlp.logs(otlp.api_request(1), tool, prompt))


def second_push(settings: Settings) -> None:
    """Push what was received later: more, repeats, and other contents under known ids."""
    push(settings, [call(4), call(2, session_id=None)], AT + MINUTE)
    push(settings, [call(3, input_tokens=999)], AT + MINUTE)
    other_call = call("moved", message_id="msg_elsewhere", output_tokens=1)
    push(settings, [other_call], AT + MINUTE)
    push(settings, [call("theirs", message_id="msg_dropped", mcp_name=None)], AT + MINUTE)
    prompt = otlp.event("user_prompt", 7, prompt=CANARY)
    tool = otlp.tool_result(2, tool_input=json.dumps(INPUT))
    again = otlp.logs(otlp.api_request(1), tool, prompt)
    push(settings, logs=again, at=AT + MINUTE)
    push(settings, logs=otlp.logs(otlp.api_request(5)), at=AT + MINUTE)


class Company:
    """A customer whose events are drained in some order, and built after each drain."""

    def __init__(self, home: Path, customer: str, warehouse: str = "warehouse") -> None:
        self.settings = Settings(home, str(home / f"{warehouse}.duckdb"), customer)

    def drain_and_build(self, pushes: list, *last: str) -> None:
        environment = command_environment(
            self.settings.home,
            MINDWEAVE_CUSTOMER=self.settings.customer,
            DO_NOT_TRACK="1",
            **warehouse_at(self.settings.warehouse_url).dbt_environment(),
        )
        target = self.settings.home / "dbt" / self.settings.customer
        with dbt_process(PROJECT_DIR, target, environment) as dbt:
            for push_some in pushes:
                push_some(self.settings)
                assert not drain(self.settings).failures
                make_missing_tables(self.settings)
                dbt.run(*(last if last and push_some is pushes[-1] else BUILD_MARTS))

    def mart(self, name: str) -> list[tuple]:
        with duckdb.connect(self.settings.warehouse_url, read_only=True) as connection:
            found = connection.sql(f"from {self.settings.marts_schema}.{name}")
            columns = [column for column in found.columns if column not in OF_THE_LOADS]
            return sorted(found.select(*columns).fetchall(), key=repr)

    def ask(self, sql: str) -> list[tuple]:
        return rows(self.settings, sql)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    # one key: pseudonyms and fingerprints are compared between the two
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINDWEAVE_PRIVACY_KEY", "k" * 64)
        yield tmp_path_factory.mktemp("drain") / "home"


@pytest.fixture(scope="module")
def company(home):
    """The events in the order of receipt, built twice, with all tests of the models."""
    company = Company(home / "in_order", "acme")
    tested = ("build", "--exclude-resource-type", "unit_test")
    company.drain_and_build([first_push, second_push], *tested)
    return company


def test_each_event_is_in_the_log_once_as_it_was_received_first(company):
    log = company.ask(
        "select event_id, is_time_assumed, received_at, data is null from {marts}.event_log "
        "where event_source = '/gw' order by event_id"
    )

    assert log == [
        ("event-1", True, AT, False),
        ("event-2", True, AT, False),
        ("event-3", True, AT, False),
        ("event-4", True, AT + MINUTE, False),
        ("event-alone", True, AT, False),
        ("event-moved", True, AT, False),
        ("event-theirs", True, AT, False),
    ]
    telemetry = company.ask(
        "select count(*), count(data) from {marts}.event_log where event_source = '/v1/logs'"
    )
    assert telemetry == [(2, 0)]
    assert company.ask("select count(*) from {raw}.events") == [(15,)]


def test_an_id_that_comes_with_other_content_is_a_conflict_and_counts_nowhere(company):
    conflicts = company.ask(
        "select event_id, received_at, first_received_at, content_hash != first_content_hash "
        "from {marts}.event_conflicts order by event_id"
    )

    assert conflicts == [
        ("event-3", AT + MINUTE, AT, True),
        ("event-moved", AT + MINUTE, AT, True),
        ("event-theirs", AT + MINUTE, AT, True),
    ]
    calls = company.ask("select call_id, input_tokens, observation_count from {marts}.mcp_calls")
    assert sorted(calls) == [
        ("anthropic/msg_1", 250, 1),
        ("anthropic/msg_2", 250, 1),
        ("anthropic/msg_3", 250, 1),
        ("anthropic/msg_4", 250, 1),
        ("anthropic/msg_kept", 9, 1),
        ("anthropic/msg_moved", 250, 1),
        # telemetry that was sent twice is seen twice, and is one call
        ("anthropic/req_1", 6, 2),
        ("anthropic/req_5", 6, 1),
        ("record/call//gw/call-alone", 250, 1),
    ]


def test_a_call_has_its_tool_its_person_and_the_reported_cost_to_the_last_digit(company):
    found = company.ask(
        "select mcp_name, mcp_call_count, user_id like 'person_%', reported_cost_usd, identity "
        "from {marts}.mcp_calls where call_id in "
        "('anthropic/msg_1', 'record/call//gw/call-alone') order by call_id"
    )
    tools = company.ask(
        "select count(*), count(call_id), count(allocated_cost_usd), count(latency_ms) "
        "from {marts}.mcp_tool_calls where tool_call_id like 'place/events/%'"
    )

    assert found == [
        ("ticketdesk", 1, True, Decimal("0.123456789012345"), "strong"),
        ("ticketdesk", 1, True, None, "strong"),
    ]
    # the call of an unknown vendor has no price
    assert tools == [(7, 7, 6, 0)]


def test_neither_prompts_nor_unknown_members_are_in_the_warehouse(company):
    with duckdb.connect(company.settings.warehouse_url, read_only=True) as connection:
        tables = connection.sql(
            "select table_schema, table_name from information_schema.tables"
        ).fetchall()
        for schema, table in tables:
            found = connection.sql(
                f'from "{schema}"."{table}" as told where contains(told::text, \'{CANARY}\')'
            )
            assert found.fetchall() == [], table
    assert CANARY.encode() not in Path(company.settings.warehouse_url).read_bytes()


def test_equal_content_of_two_sources_has_one_hash(company):
    told = company.ask("select dedup_hash from {raw}.events_calls where dedup_hash is not null")
    assert set(told) == {(prompt_hash(company.settings, CANARY),)}
    assert set(company.ask("select dedup_hash from {raw}.claude_code_otel_prompts")) == set(told)
    inputs = company.ask(
        "select distinct input_fingerprint from {raw}.events_calls "
        "where input_fingerprint is not null"
    )
    assert inputs == company.ask(
        "select distinct input_fingerprint from {raw}.claude_code_otel_tool_events"
    )
    sources = company.ask(
        "select content_kind, dedup_hash, string_agg(distinct source order by source), "
        "count(distinct sketch) from {raw}.content_fingerprints group by all order by all"
    )
    assert sources == [
        ("prompt", *told[0], "claude_code_otel,events", 1),
        ("tool_input", *inputs[0], "claude_code_otel,events", 1),
    ]


def test_the_order_of_drains_does_not_matter(company, home):
    reversed_order = Company(home / "reversed", "acme")
    reversed_order.drain_and_build([second_push, first_push])

    for name in MARTS:
        assert reversed_order.mart(name) == company.mart(name), name


def test_customers_drain_their_own_events(home):
    one, other = (Settings(home, str(home / "both.duckdb"), name) for name in ("one", "other"))
    push(one, [call(1)])
    push(other, [call(2), call(3)])

    drain(one)
    drain(other)

    assert rows(one, "select event_id from {raw}.events") == [("event-1",)]
    assert len(rows(other, "select event_id from {raw}.events")) == 2


def test_a_drained_event_has_left_the_store_and_is_not_drained_again(home):
    settings = Settings(home, str(home / "left.duckdb"), "left")
    push(settings, [call(1)])

    first, second = drain(settings), drain(settings)

    assert [result.counts.rows_loaded for result in first.results] == [1]
    assert second.results == []
    with closing(open_store(settings)) as store:
        assert store.read(None, 1) == []


def test_what_landed_before_a_kill_is_told_by_the_bookmark(home, monkeypatch):
    settings = Settings(home, str(home / "kept.duckdb"), "kept")
    push(settings, [call(1)])
    with closing(open_store(settings)) as store, monkeypatch.context() as patch:
        # killed before the store was told
        patch.setattr(type(store), "discard", lambda self, through: None)
        drain(settings)
        assert len(store.read(None, 1)) == 1

    assert drain(settings).results == []
    assert rows(settings, "select count(*) from {raw}.events") == [(1,)]


def test_a_plugin_that_fails_keeps_its_events_and_does_not_stop_the_others(home, monkeypatch):
    settings = Settings(home, str(home / "failing.duckdb"), "failing")
    push(settings, [call(1)], logs=otlp.logs(otlp.api_request(1)))

    def fail(self, events):
        raise ValueError("a mistake")

    with monkeypatch.context() as patch:
        patch.setattr(ClaudeCodeOtelPlugin, "handle_events", fail)
        failed = drain(settings)

    assert list(failed.failures) == ["claude_code_otel"]
    assert "a mistake" in str(failed.failures["claude_code_otel"])
    assert rows(settings, "select event_id from {raw}.events_calls") == [("event-1",)]
    after = drain(settings)
    assert not after.failures
    assert {result.source for result in after.results} == {"claude_code_otel", "events"}
    assert rows(settings, "select request_id from {raw}.claude_code_otel_requests") == [("req_1",)]
    assert drain(settings).results == []


def test_what_is_no_event_is_quarantined_and_the_rest_lands(home):
    settings = Settings(home, str(home / "broken.duckdb"), "broken")
    push(settings, [call(1)])
    with closing(open_store(settings)) as store:
        [stored] = store.read(None, 1)
        body = stored.entry.body
        broken = b'{"data":{"a":1},"id":7e,"source":"/gw","type":"t"}\n\xff\n' + body
        store.append([type(stored.entry)("events", broken, AT)])

    [result] = drain(settings).results

    assert (result.counts.rows_loaded, result.counts.rows_quarantined) == (2, 2)
    assert len(rows(settings, "select reason from {raw}.quarantine")) == 2


def test_events_that_no_gate_wrote_land_as_what_they_are(home):
    settings = Settings(home, str(home / "others.duckdb"), "others")
    push(settings, [call(1)])
    lines = [
        '{"data":{"vendor":{"a":1},"input_tokens":"x","more":[{"x":1,"id":2}]},"id":"é","source":"/gw","type":"t"}',
        '{"data":{"call_id":"c"},"id":"of no type","source":"/gw","type":""}',
        # cut off, and without an end of the line
        '{"data":{"prompt":{"dedup_hash":"h","id":"x","source":"/gw","type":"t"}',
    ]
    with closing(open_store(settings)) as store:
        store.append([Entry("events", "\n".join(lines).encode(), AT)])

    [result] = drain(settings).results

    assert (result.counts.rows_loaded, result.counts.rows_quarantined) == (3, 1)
    assert rows(settings, "select event_id from {raw}.events_calls") == [("event-1",)]
    found = rows(settings, "select event_id, data from {raw}.events where event_id != 'event-1'")
    assert sorted(found) == [
        ("of no type", '{"call_id":"c"}'),
        ("é", '{"vendor":{"a":1},"input_tokens":"x","more":[{"x":1,"id":2}]}'),
    ]
    assert rows(settings, "select line_number from {raw}.quarantine") == [(3,)]


def test_the_command_drains_and_a_load_begins_with_it(tmp_path):
    settings = home_settings(tmp_path / "home")
    push(settings, [call(1)])

    first = succeeds(mindweave(settings.home, "drain"))
    again = succeeds(mindweave(settings.home, "drain"))
    push(settings, [call(2)])
    # no source is configured and no transcript is there: what is pushed is enough
    loaded = succeeds(mindweave(settings.home, "load"))

    assert first.startswith("events: 1 rows, 1 loaded, 0 ignored, 0 quarantined, in ")
    assert again == "events: nothing new\n"
    assert loaded.startswith("events: 1 rows, 1 loaded")
    named = mindweave(settings.home, "load", "--source", "claude_code")
    assert named.returncode == 1
    assert_one_line(named.stderr)


def test_missing_transcripts_are_a_failure_where_nothing_is_pushed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    outcome = steps.load_sources(home_settings(tmp_path / "home"))

    assert list(outcome.failures) == ["claude_code"]


def test_a_store_that_cannot_be_read_is_one_line_and_the_sources_are_loaded(tmp_path):
    settings = home_settings(tmp_path / "home")
    push(settings, [call(1)])
    (settings.home / "events" / "local.sqlite").write_bytes(b"no database" * 1000)

    done = mindweave(settings.home, "drain")

    assert done.returncode == 1
    assert_one_line(done.stderr)


# the folders of dlt in the order that a drain fills them
MOMENTS = (
    "landing/local-events/events-0.parquet",
    "dlt/*/local__claude_code_otel/load/normalized/*",
    "dlt/*/local__events/normalize/extracted/*",
    "dlt/*/local__events/load/normalized/*",
)
CALLS = 2000


def test_a_kill_while_draining_loses_nothing_and_counts_nothing_twice(tmp_path):
    settings = home_settings(tmp_path / "home")
    for killed, moment in enumerate(MOMENTS):
        events = [call(n) for n in range(killed * CALLS, (killed + 1) * CALLS)]
        push(settings, events, logs=otlp.logs(otlp.api_request(killed)))
        assert Killed(settings.home, "drain").when_there_is(settings.home, moment), moment

    Company(settings.home, "local", "mindweave").drain_and_build([lambda settings: None])

    [(events, calls, most)] = rows(
        settings,
        "select (select count(*) from {marts}.event_log), count(*), max(observation_count) "
        "from {marts}.mcp_calls where call_id like 'anthropic/msg_%'",
    )
    assert (events, calls, most) == (len(MOMENTS) * (CALLS + 1), len(MOMENTS) * CALLS, 1)
    assert rows(settings, "select count(*) from {marts}.event_conflicts") == [(0,)]
    requests = "select count(*) from {marts}.mcp_calls where call_id like 'anthropic/req_%'"
    assert rows(settings, requests) == [(len(MOMENTS),)]
    with closing(open_store(settings)) as store:
        assert store.read(None, 1) == []
    assert not os.path.exists(settings.home / "landing" / "local-events")
