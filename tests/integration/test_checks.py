import json
from datetime import UTC, datetime, timedelta

import duckdb
import psycopg2
import pytest

from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import Warehouse
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.load import load_source
from flows import checks

CANARY = "canary-in-a-row"


def answer(number):
    """Return a line of an answer that calls an MCP tool."""
    called_at = datetime.now(UTC) - timedelta(hours=1)
    return {
        "type": "assistant",
        "uuid": f"uuid-{number}",
        "requestId": f"req_{number}",
        "timestamp": called_at.isoformat(),
        "sessionId": "session-1",
        "cwd": "/home/dana/shop",
        "version": "2.1.240",
        "message": {
            "id": f"msg_{number}",
            "model": "claude-sonnet-4-5-20250929",
            "content": [
                {"type": "tool_use", "id": f"toolu_{number}", "name": "mcp__tickets__get_ticket"}
            ],
            "usage": {
                "input_tokens": 6,
                "cache_creation_input_tokens": 4200,
                "cache_read_input_tokens": 31800,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 200,
                    "ephemeral_1h_input_tokens": 4000,
                },
                "output_tokens": 187,
                "service_tier": "standard",
            },
        },
    }


def load(settings, numbers):
    """Load one answer a number, from a file of their own; return the source and the load id."""
    folder = settings.home / "transcripts"
    folder.mkdir(exist_ok=True)
    path = folder / f"session-{numbers[0]}.jsonl"
    path.write_text("".join(json.dumps(answer(number)) + "\n" for number in numbers))
    result = load_source(settings, "claude_code", {"roots": [{"path": str(folder)}]})
    assert result.load_id
    return "claude_code", result.load_id


def execute(settings, sql):
    """Run one statement as somebody who writes to the warehouse."""
    if Warehouse(settings.warehouse_url).engine == "duckdb":
        with duckdb.connect(settings.warehouse_url) as connection:
            connection.execute(sql)
        return
    connection = psycopg2.connect(settings.warehouse_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(sql)
    connection.close()


def check_here(settings, loads):
    """Check without a process of its own: Great Expectations is imported once for all tests."""
    return checks.check_loads(Warehouse(settings.warehouse_url), settings.raw_schema, loads)


@pytest.fixture
def duckdb_settings(tmp_path):
    return Settings(tmp_path, str(tmp_path / "a $mall warehouse.duckdb"), "local")


@pytest.fixture(params=["duckdb", "postgres"])
def settings(request, tmp_path, duckdb_settings):
    if request.param == "duckdb":
        return duckdb_settings
    return Settings(tmp_path, request.getfixturevalue("postgres_database"), "local")


@pytest.fixture
def great_expectations(monkeypatch):
    """Give Great Expectations as it is installed, not as another test left it."""
    from great_expectations.execution_engine import sqlalchemy_execution_engine as engine

    known = [item for item in engine._PERSISTED_CONNECTION_DIALECTS if item != "duckdb"]
    monkeypatch.setattr(engine, "_PERSISTED_CONNECTION_DIALECTS", tuple(known))


def test_broken_rows_fail_the_checks_of_their_own_load(settings, tmp_path, monkeypatch):
    good, bad = load(settings, [1, 2, 3]), load(settings, [4, 5])
    messages = f"{settings.raw_schema}.claude_code_messages"
    execute(
        settings,
        f"update {messages} set input_tokens = 20000000, service_tier = '{CANARY}', "
        "ephemeral_5m_input_tokens = 4200, model = null, message_id = null, request_id = null, "
        "observed_at = observed_at + interval '3 days' "
        f"where load_id = '{bad[1]}' and message_id = 'msg_4'",
    )
    execute(
        settings,
        f"update {settings.raw_schema}.claude_code_tool_uses set tool_name = 'mcp__{CANARY}' "
        f"where load_id = '{bad[1]}'",
    )
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))

    with checks.ChecksProcess() as process:
        results = process.run(settings.warehouse_url, settings.raw_schema, [good, bad])

    assert [
        result for result in results if result.load_id == good[1] and not result.is_success
    ] == []
    failed = {
        (result.table_name.removeprefix("claude_code_"), result.column_name, result.expectation): (
            result.severity,
            result.unexpected_count,
        )
        for result in results
        if not result.is_success
    }
    in_range, in_set, not_null = (
        f"expect_column_values_to_{rule}" for rule in ("be_between", "be_in_set", "not_be_null")
    )
    assert failed == {
        ("messages", "input_tokens", in_range): ("critical", 1),
        ("messages", "observed_at", in_range): ("critical", 1),
        ("messages", "model", not_null): ("critical", 1),
        ("messages", "message_id", not_null): ("warning", 1),
        ("messages", "service_tier", in_set): ("warning", 1),
        ("messages", None, "expect_answers_to_have_their_own_id"): ("warning", 1),
        ("messages", None, "expect_cache_split_within_total"): ("critical", 1),
        ("tool_uses", None, "expect_tool_names_to_name_server_and_tool"): ("critical", 2),
    }
    row_counts = {
        result.load_id: result.observed_value
        for result in results
        if result.table_name == "claude_code_messages"
        and result.expectation == "expect_table_row_count_to_be_between"
    }
    assert row_counts == {good[1]: "3", bad[1]: "2"}
    assert CANARY not in repr(results)
    assert len({result.checked_at for result in results}) == 1
    assert list(home.iterdir()) == []

    # the warehouse is free for a writer at once, and a repeat can be told
    checks.record_results(settings, results)
    checks.record_results(settings, results)
    [landed] = (
        Warehouse(settings.warehouse_url)
        .query(
            "select count(*) as row_count, count(distinct check_id) as checks, "
            "count(distinct load_id) as loads, "
            "count(distinct case when not is_success then check_id end) as failed_checks, "
            f"min(checked_at) as checked_at from {settings.raw_schema}.expectation_results"
        )
        .to_pylist()
    )
    assert landed == {
        "row_count": 2 * len(results),
        "checks": len(results),
        "loads": 2,
        "failed_checks": len(failed),
        "checked_at": results[0].checked_at,
    }


def test_a_check_that_cannot_be_made_fails_and_does_not_stop_the_others(
    duckdb_settings, monkeypatch
):
    from great_expectations import expectations as gxe

    loaded = load(duckdb_settings, [1])
    suites = {
        "claude_code_messages": [
            gxe.ExpectColumnValuesToNotBeNull(column="no_such_column"),
            gxe.ExpectColumnValuesToNotBeNull(column="message_id"),
        ],
        "no_such_table": [gxe.ExpectTableRowCountToBeBetween(min_value=1)],
        "loads": [gxe.ExpectTableRowCountToBeBetween(min_value=1)],
    }
    monkeypatch.setattr(checks, "suites", lambda source: suites)

    results = check_here(duckdb_settings, [loaded])

    found = {
        (result.table_name, result.column_name): (result.is_success, result.observed_value)
        for result in results
    }
    assert found == {
        ("claude_code_messages", "no_such_column"): (False, checks.COULD_NOT_BE_CHECKED),
        ("claude_code_messages", "message_id"): (True, None),
        ("no_such_table", None): (False, checks.COULD_NOT_BE_CHECKED),
        ("loads", None): (True, "1"),
    }


def test_an_observed_value_that_is_a_text_is_not_kept(duckdb_settings, monkeypatch):
    from great_expectations import expectations as gxe

    loaded = load(duckdb_settings, [1])
    suite = [
        gxe.ExpectColumnMostCommonValueToBeInSet(column="model", value_set=["x"]),
        gxe.ExpectColumnDistinctValuesToBeInSet(column="model", value_set=["x"]),
    ]
    monkeypatch.setattr(checks, "suites", lambda source: {"claude_code_messages": suite})

    results = check_here(duckdb_settings, [loaded])

    assert [(result.is_success, result.observed_value) for result in results] == [(False, None)] * 2


def test_nothing_stays_open_after_the_checks(settings):
    check_here(settings, [load(settings, [1])])

    execute(settings, "create table written_at_once (x int)")
    if Warehouse(settings.warehouse_url).engine == "postgres":
        [others] = (
            Warehouse(settings.warehouse_url)
            .query(
                "select count(*) as n from pg_stat_activity "
                "where datname = current_database() and pid != pg_backend_pid()"
            )
            .to_pylist()
        )
        assert others["n"] == 0


def test_duckdb_still_needs_the_patch(duckdb_settings, great_expectations, monkeypatch):
    loaded = load(duckdb_settings, [1])
    monkeypatch.setattr(checks, "_keep_duckdb_connections", lambda: None)

    results = check_here(duckdb_settings, [loaded])

    assert {result.observed_value for result in results} == {checks.COULD_NOT_BE_CHECKED}, (
        "Great Expectations reads DuckDB by itself: remove flows.checks._keep_duckdb_connections"
    )


def test_a_warehouse_that_cannot_be_reached_is_named_without_its_password(postgres_url):
    warehouse = Warehouse(postgres_url.replace("postgres:", "postgres:s3cret-", 1))
    with pytest.raises(MindweaveError) as caught:
        checks.check_loads(warehouse, "customer_local_raw", [("claude_code", "l1")])
    assert "cannot reach postgresql://127.0.0.1/postgres" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_warehouse_in_use_is_said_in_one_line(duckdb_settings):
    loaded = load(duckdb_settings, [1])
    process = checks.ChecksProcess()
    with (
        duckdb.connect(duckdb_settings.warehouse_url),
        pytest.raises(MindweaveError, match="in use by another process"),
    ):
        process.run(duckdb_settings.warehouse_url, duckdb_settings.raw_schema, [loaded])
