"""What lands from a LiteLLM gateway, by its database and by its API."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.load import load_source
from dlt_pipelines.privacy import customer_key
from dlt_pipelines.sources.litellm import client
from tests.contents import prompt_hash, tool_hash
from tests.transcripts import home_settings, mindweave_process, rows, succeeds
from tests.vendors import litellm
from tests.vendors.litellm import (
    KEY,
    SPEND_LOGS_PATH,
    Gateway,
    changed,
    insert,
    make_database,
    spend_logs,
)

NOW = datetime(2026, 8, 4)
EVERYTHING = "select * exclude (load_id) from {raw}.%s order by request_id"
TABLES = (
    "litellm_spend_logs",
    "litellm_tool_calls",
    "litellm_call_types",
    "litellm_keys",
    "litellm_users",
    "litellm_teams",
    "litellm_audit_logs",
    "content_fingerprints",
    "quarantine",
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("MINDWEAVE_PRIVACY_KEY", "0123456789abcdef0123456789abcdef")
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "3")


@pytest.fixture
def settings(tmp_path):
    return home_settings(tmp_path / "home")


@pytest.fixture
def gateway():
    server = Gateway()
    with server.running():
        yield server


def load(settings, url, now=NOW, **config):
    return load_source(settings, "litellm", {"database_url": url, **config}, now=now)


def ask(settings, gateway, now=NOW, key=KEY, **config):
    config = {"base_url": gateway.base_url, "api_key": key, "page_size": 4, **config}
    return load_source(settings, "litellm", config, now=now)


def counts(result):
    found = result.counts
    assert found.rows_read == found.rows_loaded + found.rows_ignored + found.rows_quarantined
    return found.rows_loaded, found.rows_ignored, found.rows_quarantined


def ids(settings, table="litellm_spend_logs"):
    return [
        row[0] for row in rows(settings, f"select request_id from {{raw}}.{table} order by all")
    ]


def test_both_ways_give_the_same_rows_and_no_content(tmp_path, postgres_database, gateway):
    by_database, by_api = home_settings(tmp_path / "database"), home_settings(tmp_path / "api")
    make_database(postgres_database)

    assert counts(load(by_database, postgres_database)) == (8 + 2 + 7, 1, 0)
    assert counts(ask(by_api, gateway)) == (8 + 2, 1, 0)
    for table in ("litellm_spend_logs", "litellm_tool_calls"):
        assert rows(by_database, EVERYTHING % table) == rows(by_api, EVERYTHING % table)
    call_types = "select * exclude (load_id) from {raw}.litellm_call_types order by all"
    assert rows(by_database, call_types) == rows(by_api, call_types)
    assert ("list_mcp_tools", False, 1) in rows(by_database, call_types)

    for settings in (by_database, by_api):
        for table in TABLES:
            text = str(rows(settings, f"select * from {{raw}}.{table}")).lower()
            for word in ("secret", "10.2.0.17", "sk-", "@"):
                assert word not in text, (table, word)

    # and again nothing
    assert load(by_database, postgres_database).load_id is None
    assert ask(by_api, gateway).load_id is None


def test_a_process_that_has_imported_nothing_yet_loads_by_the_api(settings, gateway):
    done = mindweave_process(
        settings.home,
        *("load", "--source", "litellm"),
        SOURCES__LITELLM__BASE_URL=gateway.base_url,
        SOURCES__LITELLM__API_KEY=KEY,
    )

    succeeds(done)
    assert len(ids(settings)) == 8


@pytest.mark.parametrize("engine", ["postgres_database", "clickhouse"])
def test_other_warehouses_hold_the_same_and_nothing_lands_twice(request, tmp_path, gateway, engine):
    settings = Settings(tmp_path, request.getfixturevalue(engine), "local")
    late = gateway.rows.pop(4)
    ask(settings, gateway)
    assert ask(settings, gateway).load_id is None
    gateway.rows.append(late)
    assert counts(ask(settings, gateway))[0] == 1

    found = warehouse_at(settings.warehouse_url).query(
        "select count(*) as calls, sum(spend_usd) as spend, sum(prompt_tokens) as tokens "
        f"from {settings.raw_schema}.litellm_spend_logs"
    )
    [row] = found.to_pylist()
    assert (row["calls"], row["tokens"]) == (8, 126210)
    assert row["spend"] == Decimal("0.3666073456789")


ASKED = "Secret prompt: why?"
TURNS = [
    {"role": "user", "content": "before"},
    {"role": "assistant", "content": "yes"},
    {"role": "user", "content": [{"type": "text", "text": ASKED}, {"type": "image", "source": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "content": "x"}]},
    {"role": "tool", "content": "x"},
]


def test_what_was_asked_lands_as_a_fingerprint_where_prompts_are_stored(
    tmp_path, postgres_database
):
    stored: list[dict[str, Any]] = [
        {"messages": TURNS},
        {"messages": json.dumps(TURNS)},
        {"messages": ASKED.upper()},
        {"messages": {}, "proxy_server_request": {"messages": TURNS}},
        {"messages": [], "proxy_server_request": {"body": {"input": f"  {ASKED}"}}},
        {"messages": {}, "proxy_server_request": {"prompt": ASKED}},
    ]
    nothing: list[dict[str, Any]] = [
        {"messages": {}, "proxy_server_request": {}},
        {"messages": TURNS[1:2]},
        {"messages": "?!"},
        {"messages": None, "proxy_server_request": "x"},
    ]
    some = spend_logs()[0]
    told = [{**some, "request_id": f"asked-{n}", **more} for n, more in enumerate(stored)]
    told += [{**some, "request_id": f"not-{n}", **more} for n, more in enumerate(nothing)]
    by_database, by_api = home_settings(tmp_path / "database"), home_settings(tmp_path / "api")
    make_database(postgres_database, told, with_identities=False)
    load(by_database, postgres_database)
    gateway = Gateway(told)
    with gateway.running():
        ask(by_api, gateway)

        for settings in (by_database, by_api):
            wanted = prompt_hash(settings, ASKED)
            assert rows(
                settings,
                "select dedup_hash, count(*) from {raw}.litellm_spend_logs "
                "where starts_with(request_id, 'asked') = (dedup_hash is not null) group by all "
                "order by all",
            ) == [(wanted, len(stored)), (None, len(nothing))]
            assert rows(
                settings, "select source, content_kind, dedup_hash from {raw}.content_fingerprints"
            ) == [("litellm", "prompt", wanted)]
            for table in ("litellm_spend_logs", "content_fingerprints"):
                text = str(rows(settings, f"select * from {{raw}}.{table}")).lower()
                assert "secret" not in text and "why" not in text
        # what is read again is asked about nothing new
        assert ask(by_api, gateway).load_id is None


def test_a_call_lands_with_every_field_we_need(settings, postgres_database):
    make_database(postgres_database)
    load(settings, postgres_database)

    key = customer_key(settings.home, "local")
    assert rows(
        settings,
        """
        select message_id, litellm_call_id, api_key_id, user_id, team_id, project, session_id,
            model, custom_llm_provider, usage_prompt_tokens, usage_completion_tokens,
            cache_read_input_tokens, ephemeral_5m_input_tokens, ephemeral_1h_input_tokens,
            spend_usd, total_cost_usd, started_at, first_token_at, request_duration_ms,
            is_cache_hit, used_client_oauth_token
        from {raw}.litellm_spend_logs where request_id like 'msg_01Rz%'
        """,
    ) == [
        (
            "msg_01Rz8QkXv4LwTn2BdYc7HmPs",
            "4f0f2f58-5a1e-4f0a-b9d1-2f6f5d1f0d7e",
            "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
            key.person("dana@secret.example"),
            "team-payments",
            "checkout",
            "0c9a6f1e-77a4-4a55-8f43-3f5f1d2b9e10",
            "claude-opus-5",
            "anthropic",
            36006,
            187,
            31800,
            1200,
            3000,
            Decimal("0.062605"),
            Decimal("0.062605"),
            datetime(2026, 8, 3, 10, 15, 0, 799000),
            datetime(2026, 8, 3, 10, 15, 1, 912000),
            2841,
            False,
            False,
        )
    ]
    assert rows(
        settings,
        "select request_id, message_id, status, error_code, is_cache_hit, is_batch, "
        "used_client_oauth_token, attempted_retries, spend_usd, original_cost_usd, "
        "margin_amount_usd, service_tier, web_search_requests, cached_tokens "
        "from {raw}.litellm_spend_logs where request_id not like 'msg_01Rz%' order by started_at",
    ) == [
        tuple(Decimal(value) if isinstance(value, float) else value for value in row)
        for row in [
            _call("1b0e6f0c-0001-4f0a-b9d1-2f6f5d1f0d7e", None, "failure", "429"),
            _call("1b0e6f0c-0002-4f0a-b9d1-2f6f5d1f0d7e", None, "failure", "500", retries=1),
            (
                *("chatcmpl-BxYz0001", "chatcmpl-BxYz0001", "success", None, False, False, False),
                *(2, Decimal("0.00023"), Decimal("0.0002"), Decimal("0.00003"), "default"),
                *(None, 32),
            ),
            _call("chatcmpl-BxYz0001_cache_hit1785754860.25", "chatcmpl-BxYz0001", hit=True),
            (
                *("msg_01Own", "msg_01Own", "success", None, False, False, True, None),
                *(Decimal("0.0000123456789"), None, None, "standard", 1, None),
            ),
            (
                *("batch_8", None, "success", None, False, True, False, None),
                *(Decimal("0.30375"), None, None, None, None, None),
            ),
            (
                *("resp_68a1", "resp_68a1", "success", None, False, False, False, None),
                *(Decimal("0.00001"), None, None, None, None, 60),
            ),
        ]
    ]
    assert rows(
        settings,
        "select request_id, status, error_code, mcp_name, tool_name, spend_usd, user_id is null, "
        "length(input_fingerprint) from {raw}.litellm_tool_calls order by all",
    ) == [
        (
            "9c0b7a66-1c52-4a44-8d8e-64d6a4c7b5aa",
            *("success", None, "ticketdesk", "get_ticket", Decimal("0.002"), False, 64),
        ),
        ("refused-tool", "failure", "403", "warehouse", "drop_table", 0, True, 64),
    ]
    # as a transcript of the same call has it
    wanted = tool_hash(settings, "mcp__ticketdesk__get_ticket", '{"id":"secret-4711"}')
    assert rows(
        settings,
        "select min(input_fingerprint) from {raw}.litellm_tool_calls "
        "where tool_name = 'get_ticket'",
    ) == [(wanted,)]


def _call(request_id, message_id, status="success", code=None, hit=False, retries=None):
    nothing = (None,) * 5
    return request_id, message_id, status, code, hit, False, False, retries, 0, *nothing


def test_what_a_killed_load_left_lands_again_whole(settings, postgres_database):
    make_database(postgres_database)
    load(settings, postgres_database)
    with duckdb.connect(settings.warehouse_url) as warehouse:
        # its rows are there, and the package that would make them count is not
        warehouse.execute(f"delete from {settings.raw_schema}._dlt_loads")

    load(settings, postgres_database)

    of_whole_loads = "inner join {raw}.loads using (load_id) inner join {raw}._dlt_loads as p "
    of_whole_loads += "on loads._dlt_load_id = p.load_id"
    for table in ("litellm_audit_logs", "litellm_keys", "litellm_spend_logs"):
        both = rows(settings, f"select count(*) from {{raw}}.{table}")[0][0]
        whole = rows(settings, f"select count(*) from {{raw}}.{table} {of_whole_loads}")[0][0]
        assert whole and both == 2 * whole


def test_identities_and_audit_events_land_once_and_again_when_they_change(
    settings, postgres_database
):
    make_database(postgres_database)
    load(settings, postgres_database)
    key = customer_key(settings.home, "local")
    dana, omar = key.person("dana@secret.example"), key.person("omar@secret.example")
    keys = (
        "select key_id[:4], person_id, team_id, status, valid_from_at, is_deleted "
        "from {raw}.litellm_keys order by valid_from_at, key_id"
    )
    first, second = (
        ("88dc", dana, "team-payments", "active", datetime(2026, 1, 2), False),
        ("77aa", omar, None, "expired", datetime(2026, 1, 3), False),
    )
    assert rows(settings, keys) == [first, second]
    assert rows(
        settings, "select user_id, person_id, team_id, role from {raw}.litellm_users order by role"
    ) == [
        (key.person("dana"), dana, "team-payments", "internal_user"),
        (omar, omar, None, "proxy_admin"),
    ]
    assert rows(settings, "select team_id, team_name, org_id, status from {raw}.litellm_teams") == [
        ("team-payments", "payments", "org-1", "active")
    ]
    events = (
        "select event_id, actor_kind, actor_id, action, resource_id, before_json, after_json "
        "from {raw}.litellm_audit_logs order by all"
    )
    expected = [
        (
            *("audit-1", "user", key.person("dana"), "updated", "77aa"),
            *('{"max_budget": 10.5}', '{"max_budget": 20}'),
        ),
        (
            *("audit-2", "api_key", "88dc", "deleted", key.person("ines@secret.example")),
            *('{"user_role": "internal_user"}', None),
        ),
    ]
    assert rows(settings, events) == expected

    litellm.execute(
        postgres_database,
        """update "LiteLLM_VerificationToken" set team_id = 'team-search',
            updated_at = '2026-08-03 20:00:00' where token = '77aa'""",
        """delete from "LiteLLM_VerificationToken" where token != '77aa'""",
    )
    load(settings, postgres_database, now=datetime(2026, 8, 5))

    assert rows(settings, keys) == [
        first,
        second,
        ("77aa", omar, "team-search", "expired", datetime(2026, 8, 3, 20), False),
        ("88dc", None, None, None, datetime(2026, 8, 5), True),
    ]
    assert rows(settings, events) == expected


def test_only_what_is_new_or_changed_lands_again(settings, postgres_database):
    [first, *rest] = litellm.spend_logs()
    make_database(postgres_database, rest, with_identities=False)
    load(settings, postgres_database)
    # written late, within the overlap; and one that was corrected
    late = changed(first, updated_at="2026-08-03T10:30:00Z")
    corrected = changed(rest[4], spend=0.5, updated_at="2026-08-03T16:00:00Z")
    touched = changed(rest[5], updated_at="2026-08-03T16:00:00Z")
    insert(postgres_database, "LiteLLM_SpendLogs", [late, corrected, touched])

    assert load(settings, postgres_database).counts.rows_loaded == 2
    assert rows(
        settings,
        "select request_id, count(*), max(spend_usd) from {raw}.litellm_spend_logs "
        "group by all having count(*) > 1 or request_id like 'msg_01Rz%' order by all",
    ) == [
        (corrected["request_id"], 2, Decimal("0.5")),
        (first["request_id"], 1, Decimal("0.062605")),
    ]
    assert load(settings, postgres_database).load_id is None


def test_a_long_history_comes_in_parts_and_each_row_once(settings, postgres_database):
    make_database(postgres_database, with_identities=False)

    load(settings, postgres_database, rows_per_package=4, overlap_minutes=10)

    assert rows(
        settings,
        "select count(*), count(distinct request_id), count(distinct load_id) > 1 "
        "from {raw}.litellm_spend_logs",
    ) == [(8, 8, True)]


def test_a_clock_that_was_ahead_does_not_hide_what_follows(settings, postgres_database):
    [first, *rest] = litellm.spend_logs()
    ahead = changed(first, created_at="2031-01-01T00:00:00Z", updated_at="2031-01-01T00:00:00Z")
    make_database(postgres_database, [ahead], with_identities=False)
    load(settings, postgres_database)
    insert(
        postgres_database,
        "LiteLLM_SpendLogs",
        [changed(row, updated_at="2026-08-04T01:00:00Z") for row in rest],
    )

    load(settings, postgres_database, now=datetime(2026, 8, 4, 2))

    assert len(ids(settings)) == 8


def test_an_old_version_lacks_all_but_the_first_columns(settings, postgres_database):
    make_database(
        postgres_database,
        litellm.spend_logs()[:1],
        columns=litellm.FIRST_COLUMNS,
        with_identities=False,
    )

    assert counts(load(settings, postgres_database)) == (1, 0, 0)
    assert rows(
        settings,
        "select request_id, prompt_tokens, completion_tokens, spend_usd, usage_prompt_tokens, "
        "model, written_at from {raw}.litellm_spend_logs",
    ) == [
        (
            *("msg_01Rz8QkXv4LwTn2BdYc7HmPs", 36006, 187, Decimal("0.062605"), None, None),
            datetime(2026, 8, 3, 10, 15, 3, 640000),
        )
    ]
    assert load(settings, postgres_database).load_id is None


def test_rows_that_cannot_be_used_are_set_aside_once(settings, gateway):
    [row] = [row for row in gateway.rows if row["request_id"] == "msg_01Own"]

    def broken(number, **changes):
        return changed(row, request_id=f"broken-{number}", **changes)

    gateway.rows = [
        row,
        broken(1, prompt_tokens="5 7"),
        broken(2, prompt_tokens=True),
        broken(3, spend="a lot"),
        broken(4, completion_tokens=None),
        broken(5, model="two\nlines"),
        broken(6, session_id="s" * 5000),
        broken(7, metadata={"usage_object": {"prompt_tokens": Decimal("1.5")}}),
        broken(8, call_type=""),
        changed(row, request_id="odd", metadata="no object", brand_new_field=1),
        changed(row, request_id="odder", metadata={"usage_object": "none", "cost_breakdown": []}),
    ]

    assert counts(ask(settings, gateway, page_size=1000)) == (3, 0, 8)
    assert rows(
        settings, "select reason, count(*) from {raw}.quarantine group by all order by all"
    ) == [
        ("a count is not a whole number", 3),
        ("an amount of money is not a number", 1),
        ("an id or a name is not plain text", 2),
        ("the record has no call_type", 1),
        ("the record has no prompt_tokens or no completion_tokens", 1),
    ]
    assert ids(settings) == ["msg_01Own", "odd", "odder"]
    unknown = "select distinct unknown_fields from {raw}.litellm_spend_logs"
    assert rows(settings, unknown) == [("brand_new_field",)]
    assert ask(settings, gateway, page_size=1000).load_id is None


def test_amounts_that_are_no_number_are_set_aside_in_the_database_too(settings, postgres_database):
    broken = changed(litellm.spend_logs()[0], request_id="broken")
    make_database(postgres_database, [broken], with_identities=False)
    litellm.execute(
        postgres_database,
        """update "LiteLLM_SpendLogs" set spend = 'NaN', model = E'back\\\\slash'""",
        """insert into "LiteLLM_SpendLogs" (request_id, call_type, "startTime", prompt_tokens,
            completion_tokens, model, updated_at)
            values ('plain', 'acompletion', '2026-08-03', 1, 1, E'a\\\\b', '2026-08-03')""",
        """insert into "LiteLLM_SpendLogs" (request_id, call_type, "startTime", prompt_tokens,
            completion_tokens, model, updated_at)
            values ('tab', 'acompletion', '2026-08-03', 1, 1, E'a\\tb', '2026-08-03')""",
    )

    load(settings, postgres_database)

    assert rows(settings, "select reason from {raw}.quarantine order by all") == [
        ("an amount of money is not a number",),
        ("an id or a name is not plain text",),
    ]
    assert rows(settings, "select model from {raw}.litellm_spend_logs") == [("a\\b",)]


class TestApi:
    @pytest.mark.parametrize("fault", ["429", "500", "truncated", "repeated"])
    def test_what_passes_is_asked_for_again(self, settings, gateway, fault):
        faults = {
            "429": lambda: gateway.fail_next(SPEND_LOGS_PATH, 429, headers={"Retry-After": "0"}),
            "500": lambda: gateway.fail_next(SPEND_LOGS_PATH, 500, times=2),
            "truncated": lambda: gateway.truncate_next(SPEND_LOGS_PATH),
            "repeated": lambda: gateway.repeat_next(SPEND_LOGS_PATH),
        }
        faults[fault]()

        ask(settings, gateway)

        assert len(ids(settings)) == 8

    def test_a_window_with_too_many_rows_is_halved(self, settings, gateway, monkeypatch):
        monkeypatch.setattr(client, "ROWS_PER_WINDOW", 2)

        ask(settings, gateway, start_date="2026-08-01T00:00:00")

        assert len(ids(settings)) == len(set(ids(settings))) == 8
        assert all(
            request.one("start_date") >= "2026-08-01 00:00:00"
            and request.one("end_date") <= "2026-08-03 23:59:00"
            for request in gateway.asked(SPEND_LOGS_PATH)
        )

    def test_a_window_that_grows_while_it_is_read_is_read_again(self, settings, gateway):
        gateway.arriving = [
            changed(gateway.rows[0], request_id=f"late-{n}", startTime="2026-08-03T20:00:00Z")
            for n in range(3)
        ]

        ask(settings, gateway)

        assert len(ids(settings)) == len(set(ids(settings))) == 11

    def test_the_api_goes_on_where_it_was(self, settings, gateway):
        late = gateway.rows.pop(0)
        ask(settings, gateway)
        gateway.rows += [late, changed(late, request_id="new", startTime="2026-08-04T03:00:00Z")]
        asked = len(gateway.requests)

        ask(settings, gateway, now=datetime(2026, 8, 5))

        assert gateway.requests[asked].one("start_date") == "2026-08-03 09:00:00"
        assert len(ids(settings)) == len(set(ids(settings))) == 9

    def test_what_does_not_pass_is_said_in_one_line(self, settings, gateway):
        with pytest.raises(MindweaveError, match="401: the key was refused") as refused:
            ask(settings, gateway, key="sk-wrong")
        assert "\n" not in str(refused.value)
        assert "sk-wrong" not in str(refused.value)
        with pytest.raises(MindweaveError, match="403: the key lacks a scope"):
            ask(settings, gateway, key=litellm.SHORT_KEY)
        gateway.html_next(SPEND_LOGS_PATH)
        with pytest.raises(MindweaveError, match="HTML instead of JSON"):
            ask(settings, gateway)


class TestDatabase:
    def test_what_is_wrong_is_said_in_one_line_without_the_password(
        self, settings, postgres_database
    ):
        wrong = postgres_database.replace("postgres:", "postgres:not-", 1)
        for url, said in [
            (wrong, "cannot reach postgresql://127.0.0.1"),
            ("postgresql://me:not-secret@127.0.0.1:1/x", "cannot reach postgresql://127.0.0.1:1/x"),
            (postgres_database, "has no table LiteLLM_SpendLogs"),
        ]:
            with pytest.raises(MindweaveError, match=said) as failure:
                load(settings, url)
            assert "\n" not in str(failure.value)
            assert "not-" not in str(failure.value)

    def test_a_table_that_changed_beyond_recognition_is_said(self, settings, postgres_database):
        make_database(postgres_database, [], columns=["request_id", "spend"], with_identities=False)
        with pytest.raises(MindweaveError, match="has no column call_type"):
            load(settings, postgres_database)

    def test_a_column_that_we_do_not_know_is_named(self, settings, postgres_database):
        make_database(postgres_database, with_identities=False)
        litellm.execute(postgres_database, 'alter table "LiteLLM_SpendLogs" add "newColumn" int')
        load(settings, postgres_database)
        assert rows(settings, "select distinct unknown_fields from {raw}.litellm_spend_logs") == [
            ("newColumn",)
        ]

    def test_an_empty_gateway_says_nothing(self, settings, postgres_database):
        make_database(postgres_database, [], with_identities=False)
        assert load(settings, postgres_database).load_id is None


def test_a_way_must_be_chosen(settings):
    with pytest.raises(MindweaveError, match="set database_url, or base_url and api_key"):
        load_source(settings, "litellm", {})
    with pytest.raises(MindweaveError, match="not both"):
        load_source(
            settings,
            "litellm",
            {"database_url": "postgresql://x", "base_url": "http://x", "api_key": "k"},
        )
