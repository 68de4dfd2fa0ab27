import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import duckdb
import pytest

from dlt_pipelines.clickhouse_warehouse import ClickHouseWarehouse
from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import MissingRelationError, warehouse_at
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.load import load_source
from flows import checks
from tests.statements import execute

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
                "iterations": [{"type": "compaction", "input_tokens": 9, "output_tokens": 5}],
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


def update(settings, table, changes, condition):
    """Change rows that landed."""
    table = f"{settings.raw_schema}.{table}"
    warehouse = warehouse_at(settings.warehouse_url)
    if not isinstance(warehouse, ClickHouseWarehouse):
        execute(settings, f"update {table} set {changes} where {condition}")
        return
    if warehouse.cluster:
        table += f"_local {warehouse.on_cluster}"
    execute(
        settings,
        f"alter table {table} update {changes} where {condition} settings mutations_sync = 2",
    )


def check_here(settings, loads):
    """Check without a process of its own: Great Expectations is imported once for all tests."""
    return checks.check_loads(warehouse_at(settings.warehouse_url), settings.raw_schema, loads)


@pytest.fixture
def duckdb_settings(tmp_path):
    return Settings(tmp_path, str(tmp_path / "a $mall warehouse.duckdb"), "local")


ENGINES = ("duckdb", "postgres_database", "clickhouse")


@pytest.fixture(params=ENGINES)
def settings(request, tmp_path, duckdb_settings):
    if request.param == "duckdb":
        return duckdb_settings
    return Settings(tmp_path, request.getfixturevalue(request.param), "local")


@pytest.fixture
def great_expectations(monkeypatch):
    """Give Great Expectations as it is installed, not as another test left it."""
    from great_expectations.execution_engine import sqlalchemy_execution_engine as engine

    known = [item for item in engine._PERSISTED_CONNECTION_DIALECTS if item != "duckdb"]
    monkeypatch.setattr(engine, "_PERSISTED_CONNECTION_DIALECTS", tuple(known))


@pytest.mark.parametrize("settings", [*ENGINES, "clickhouse_cluster"], indirect=True)
def test_broken_rows_fail_the_checks_of_their_own_load(settings, tmp_path, monkeypatch):
    good, bad = load(settings, [1, 2, 3]), load(settings, [4, 5])
    update(
        settings,
        "claude_code_messages",
        f"input_tokens = 20000000, service_tier = '{CANARY}', ephemeral_5m_input_tokens = 4200, "
        "model = null, message_id = null, request_id = null, cost_usd = 1000.5, "
        "observed_at = observed_at + interval '3' day",
        f"load_id = '{bad[1]}' and message_id = 'msg_4'",
    )
    of_bad = f"load_id = '{bad[1]}'"
    update(settings, "claude_code_passes", f"pass_type = '{CANARY}', output_tokens = -1", of_bad)
    update(settings, "claude_code_tool_uses", f"tool_name = 'mcp__{CANARY}'", of_bad)
    update(settings, "claude_code_record_types", "is_known = false", of_bad)
    update(settings, "loads", "rows_read = rows_read + 1, rows_quarantined = 1", of_bad)
    update(settings, "loads", "rows_loaded = 1", of_bad)
    update(settings, "claude_code_files", "consumed_bytes = size_bytes + 1", of_bad)
    files = f"{settings.raw_schema}.claude_code_files"
    execute(settings, f"insert into {files} select * from {files} where {of_bad}")
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
    a_at_least_b = "expect_column_pair_values_a_to_be_greater_than_b"
    assert failed == {
        ("messages", "input_tokens", in_range): ("critical", 1),
        ("messages", "observed_at", in_range): ("critical", 1),
        ("messages", "model", not_null): ("critical", 1),
        ("messages", "cost_usd", in_range): ("warning", 1),
        ("messages", "message_id", not_null): ("warning", 1),
        ("messages", "service_tier", in_set): ("warning", 1),
        ("messages", None, "expect_answers_to_have_their_own_id"): ("warning", 1),
        ("messages", None, "expect_cache_split_within_total"): ("critical", 1),
        ("passes", "output_tokens", in_range): ("critical", 2),
        ("passes", "pass_type", in_set): ("warning", 2),
        ("tool_uses", None, "expect_tool_names_to_name_server_and_tool"): ("critical", 2),
        ("record_types", "is_known", in_set): ("info", 1),
        ("files", "file_id", "expect_column_values_to_be_unique"): ("critical", 2),
        ("files", "size_bytes, consumed_bytes", a_at_least_b): ("critical", 2),
        ("loads", None, "expect_every_row_to_be_accounted_for"): ("critical", 1),
        ("loads", None, "expect_few_rows_in_quarantine"): ("warning", 1),
    }
    row_counts = {
        result.load_id: result.observed_value
        for result in results
        if result.table_name == "claude_code_messages"
        and result.expectation == "expect_table_row_count_to_be_between"
    }
    assert row_counts == {good[1]: "3", bad[1]: "2"}
    no_rows = [result for result in results if result.table_name == "claude_code_tool_results"]
    assert {result.unexpected_count for result in no_rows} == {0}
    assert CANARY not in repr(results)
    assert len({result.checked_at for result in results}) == 1
    assert list(home.iterdir()) == []

    # the warehouse is free for a writer at once, and a repeat can be told
    checks.record_results(settings, results)
    checks.record_results(settings, results)
    [landed] = (
        warehouse_at(settings.warehouse_url)
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

    execute(settings, f"create table {settings.raw_schema}.written_at_once (x int)")
    if warehouse_at(settings.warehouse_url).engine == "postgres":
        [others] = (
            warehouse_at(settings.warehouse_url)
            .query(
                "select count(*) as n from pg_stat_activity "
                "where datname = current_database() and pid != pg_backend_pid()"
            )
            .to_pylist()
        )
        assert others["n"] == 0


def test_the_checks_read_rows_where_they_are(settings):
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    loaded = load(settings, list(range(1, 31)))
    read = []

    def note(connection, cursor, statement, *_):
        read.append(cursor.rowcount)
        cursor.rowcount > 1 and print("STMT", cursor.rowcount, repr(statement))

    event.listen(Engine, "after_cursor_execute", note)
    try:
        results = check_here(settings, [loaded])
    finally:
        event.remove(Engine, "after_cursor_execute", note)

    assert all(result.is_success for result in results)
    assert len(read) > len(results)
    assert max(read) <= 1


def test_the_checks_cannot_write(settings, monkeypatch):
    from great_expectations import expectations as gxe

    loaded = load(settings, [1])
    table = f"{settings.raw_schema}.made_by_a_check"
    suite = [gxe.UnexpectedRowsExpectation(unexpected_rows_query=f"create table {table} (x int)")]
    monkeypatch.setattr(checks, "suites", lambda source: {"claude_code_messages": suite})

    [result] = check_here(settings, [loaded])

    assert result.observed_value == checks.COULD_NOT_BE_CHECKED
    with pytest.raises(MissingRelationError):
        warehouse_at(settings.warehouse_url).query(f"select * from {table}")


def test_duckdb_still_needs_the_patch(duckdb_settings, great_expectations, monkeypatch):
    loaded = load(duckdb_settings, [1])
    monkeypatch.setattr(checks, "_keep_duckdb_connections", lambda: None)

    results = check_here(duckdb_settings, [loaded])

    assert {result.observed_value for result in results} == {checks.COULD_NOT_BE_CHECKED}, (
        "Great Expectations reads DuckDB by itself: remove flows.checks._keep_duckdb_connections"
    )


@pytest.mark.parametrize("server_url", ["postgres_url", "clickhouse_url"])
def test_a_warehouse_that_cannot_be_reached_is_named_without_its_password(request, server_url):
    url = request.getfixturevalue(server_url)
    warehouse = warehouse_at(url.replace(f":{urlsplit(url).password}@", ":s3cret@"))
    with pytest.raises(MindweaveError, match="check .*MINDWEAVE_WAREHOUSE") as caught:
        checks.check_loads(warehouse, "customer_local_raw", [("claude_code", "l1")])
    assert warehouse.label in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_warehouse_in_use_is_said_in_one_line(duckdb_settings):
    loaded = load(duckdb_settings, [1])
    process = checks.ChecksProcess()
    with (
        duckdb.connect(duckdb_settings.warehouse_url),
        pytest.raises(MindweaveError, match="in use by another process"),
    ):
        process.run(duckdb_settings.warehouse_url, duckdb_settings.raw_schema, [loaded])
