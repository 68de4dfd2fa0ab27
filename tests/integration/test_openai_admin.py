"""What lands from OpenAI's organization API, in a real DuckDB file."""

import copy
import json
import subprocess
import time
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.load import load_source
from dlt_pipelines.privacy import customer_key
from tests.transcripts import MINDWEAVE, REPOSITORY, command_environment, home_settings, rows
from tests.vendors.openai_admin import ADMIN_KEY, DATA, KEY_WITHOUT_SCOPES, openai_server
from tests.vendors.server import RefusalError

NOW = datetime(2026, 8, 10, 12)
FIRST_SECOND = 1785542400  # of 2026-08-01
COMPLETIONS = "/v1/organization/usage/completions"
COSTS = "/v1/organization/costs"
AUDIT_LOGS = "/v1/organization/audit_logs"
PARTS_OFF = {"costs": False, "audit_logs": False, "identities": False}
USAGE_ONLY = {"usage_reports": ["completions"], **PARTS_OFF}
COSTS_ONLY = {"usage_reports": [], **PARTS_OFF, "costs": True}
AUDIT_ONLY = {"usage_reports": [], **PARTS_OFF, "audit_logs": True}
IDENTITIES_ONLY = {"usage_reports": [], **PARTS_OFF, "identities": True}
TABLES = (
    *("usage", "costs", "audit_logs", "projects", "users", "project_users"),
    *("service_accounts", "api_keys", "windows"),
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.delenv("MINDWEAVE_PRIVACY_KEY", raising=False)
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")


@pytest.fixture
def settings(tmp_path):
    return home_settings(tmp_path / "home")


@pytest.fixture
def server():
    vendor = openai_server()
    with vendor.running():
        yield vendor


def load(settings, server, now=NOW, **configuration):
    overrides = {
        "api_key": ADMIN_KEY,
        "base_url": f"{server.base_url}/v1",
        "start_date": "2026-08-01",
        **configuration,
    }
    return load_source(settings, "openai_admin", overrides, now=now)


def counts_of_rows(settings):
    union = " union all ".join(
        f"select '{table}', count(*) from {{raw}}.openai_admin_{table}" for table in TABLES
    )
    return dict(rows(settings, union))


def input_tokens(settings):
    """Return (day, input tokens) of everything that landed."""
    return rows(
        settings,
        "select bucket_key, input_tokens from {raw}.openai_admin_usage "
        "where report = 'usage_completions' order by all",
    )


class TestEverything:
    def test_all_of_it_lands_once_and_nothing_about_people(self, settings, server):
        result = load(settings, server)

        landed = counts_of_rows(settings)
        assert landed == {
            **{"usage": 14, "costs": 10, "audit_logs": 5, "projects": 3, "users": 3},
            **{"project_users": 3, "service_accounts": 1, "api_keys": 3, "windows": 9},
        }
        assert result.counts.rows_quarantined == 0
        unknown = " union all ".join(
            f"select unknown_fields from {{raw}}.openai_admin_{table}" for table in TABLES[:-1]
        )
        assert rows(settings, f"select distinct unknown_fields from ({unknown})") == [(None,)]

        for table in TABLES:
            text = repr(rows(settings, f"select * from {{raw}}.openai_admin_{table}")).lower()
            for secret in (
                *("lee", "kim", "example.com", "203.0.113", "mozilla", "user-b81kc", "user-c02xy"),
                *("sk-", "nightly", "code was wrong", "reporting"),
            ):
                assert secret not in text, (table, secret)

        assert load(settings, server).load_id is None
        assert counts_of_rows(settings) == landed


class TestUsage:
    def test_a_bucket_lands_with_its_dimensions_and_all_kinds(self, settings, server):
        load(settings, server, **USAGE_ONLY)

        key = customer_key(settings.home, "local")
        assert rows(
            settings,
            """
            select
                bucket_start_at, bucket_end_at, bucket_width, group_by, project_id, user_id,
                api_key_id, model, service_tier, is_batch, input_tokens, input_uncached_tokens,
                input_cached_tokens, input_cache_write_tokens, output_tokens, num_model_requests
            from {raw}.openai_admin_usage
            where bucket_key = '2026-08-03' and not is_batch
            """,
        ) == [
            (
                *(datetime(2026, 8, 3), datetime(2026, 8, 4), "1d"),
                "project_id,user_id,api_key_id,model,batch,service_tier",
                *("proj_R8sTn2VbQ", key.person("user-b81Kc"), "key_Zk3LmW9xT", "gpt-5"),
                *("default", False, 1500000, 600000, 900000, 0, 120000, 410),
            )
        ]
        # older answers say `result`; empty days are no rows
        assert input_tokens(settings) == [
            *[("2026-08-02", 1000), ("2026-08-03", 40000), ("2026-08-03", 1500000)],
            *[("2026-08-04", 45000), ("2026-08-06", 70), ("2026-08-08", 500)],
            *[("2026-08-09", 800), ("2026-08-10", 100)],
        ]

    def test_only_a_bucket_that_changed_lands_again_or_says_once_that_it_is_empty(
        self, settings, server
    ):
        load(settings, server, **USAGE_ONLY)
        before = input_tokens(settings)
        server.data["usage_completions"][7]["results"][0]["input_tokens"] = 650
        server.data["usage_completions"][8]["results"] = []

        load(settings, server, **USAGE_ONLY)
        assert load(settings, server, **USAGE_ONLY).load_id is None

        assert sorted(input_tokens(settings), key=repr) == sorted(
            [*before, ("2026-08-08", 650), ("2026-08-09", None)], key=repr
        )
        assert rows(
            settings,
            "select bucket_key, bucket_start_at from {raw}.openai_admin_usage where is_empty",
        ) == [("2026-08-09", datetime(2026, 8, 9))]

    def test_the_window_moves_with_the_days_and_a_clock_ahead_leaves_no_day_out(
        self, settings, server
    ):
        later = server.data["usage_completions"].pop()
        load(settings, server, now=NOW + timedelta(days=10), **USAGE_ONLY)
        server.data["usage_completions"].append(later)
        load(settings, server, now=NOW + timedelta(days=2), **USAGE_ONLY)

        assert ("2026-08-10", 100) in input_tokens(settings)
        first_day = datetime(2026, 8, 1)
        starts = [int(request.one("start_time")) - FIRST_SECOND for request in server.requests]
        assert [first_day + timedelta(seconds=start) for start in starts] == [
            datetime(2026, 8, 1),
            datetime(2026, 8, 9),
        ]

    def test_history_lands_window_by_window_and_goes_on_after_a_failure(
        self, settings, server, monkeypatch
    ):
        monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "1")
        windows = {**USAGE_ONLY, "window_days": 3, "corrected_days": 1}
        original = server._routes[COMPLETIONS]
        refused_from = FIRST_SECOND + 4 * 86400

        def fails_later(request):
            if int(request.one("start_time")) >= refused_from:
                raise RefusalError(503, "overloaded")
            return original(request)

        server._routes = {**server._routes, COMPLETIONS: fails_later}
        with pytest.raises(MindweaveError, match="answered 503"):
            load(settings, server, **windows)
        held = input_tokens(settings)
        assert [day for day, _ in held][-1] == "2026-08-06"
        server._routes = {**server._routes, COMPLETIONS: original}
        asked = len(server.requests)

        load(settings, server, **windows)

        assert int(server.requests[asked].one("start_time")) > FIRST_SECOND
        assert len(input_tokens(settings)) == 8

    def test_another_grouping_reads_the_history_again_under_the_same_keys(self, settings, server):
        load(settings, server, **USAGE_ONLY)
        load(settings, server, **USAGE_ONLY, usage_group_by=["model"])

        assert rows(
            settings,
            """
            select group_by, project_id, input_tokens from {raw}.openai_admin_usage
            where bucket_key = '2026-08-06' order by all
            """,
        ) == [
            ("model", None, 70),
            ("project_id,user_id,api_key_id,model,batch,service_tier", "proj_default01", 70),
        ]

    def test_a_combination_that_is_refused_names_the_setting(self, settings, server):
        with pytest.raises(
            MindweaveError, match=r"400: Invalid value: 'api_source'.*usage_group_by"
        ):
            load(settings, server, **USAGE_ONLY, usage_group_by=["api_source"])
        with pytest.raises(MindweaveError, match=r"400: Grouping by .*cost_group_by = project_id"):
            load(settings, server, **COSTS_ONLY, cost_group_by=["project_id", "user_id"])

    def test_a_report_that_is_not_there_is_named(self, settings, server):
        with pytest.raises(MindweaveError, match=r"usage/decisions answered 404.*take it out"):
            load(settings, server, **{**USAGE_ONLY, "usage_reports": ["decisions"]})

    def test_trouble_of_a_moment_changes_nothing(self, settings, server):
        server.fail_next(COMPLETIONS, 429, headers={"Retry-After": "0"})
        server.fail_next(COMPLETIONS, 500)
        server.truncate_next(COMPLETIONS)
        server.drop_next(COMPLETIONS)
        load(settings, server, **USAGE_ONLY)

        assert len(input_tokens(settings)) == 8

    def test_pages_are_followed_and_one_that_repeats_counts_once(self, settings, server):
        hours = [
            {
                **server.data["usage_completions"][9],
                "start_time": FIRST_SECOND + hour * 3600,
                "end_time": FIRST_SECOND + (hour + 1) * 3600,
                "results": [
                    {**server.data["usage_completions"][9]["results"][0], "input_tokens": hour}
                ],
            }
            for hour in range(200)
        ]
        server.data["usage_completions"] = hours
        original = server._routes[COMPLETIONS]

        def repeats(request):
            if request.one("page") and len(server.asked(COMPLETIONS)) == 2:
                return original(
                    request.__class__(
                        request.path, {**request.query, "page": []}, {**request.headers}
                    )
                )
            return original(request)

        server._routes = {**server._routes, COMPLETIONS: repeats}
        load(settings, server, **USAGE_ONLY, bucket_width="1h", window_days=31)

        assert rows(
            settings, "select count(*), sum(input_tokens) from {raw}.openai_admin_usage"
        ) == [(200, sum(range(200)))]

    def test_what_is_no_count_is_put_aside_and_a_new_field_named(self, settings, server):
        bucket = server.data["usage_completions"][2]
        bucket["results"][0]["input_tokens"] = "1500000"
        bucket["results"][1]["input_cache_write_30m_tokens"] = 0
        load(settings, server, **USAGE_ONLY)
        load(settings, server, **USAGE_ONLY)

        assert rows(settings, "select location, reason from {raw}.quarantine") == [
            ("usage_completions", "input_tokens: Input should be a valid integer")
        ]
        assert rows(
            settings,
            "select input_tokens, unknown_fields from {raw}.openai_admin_usage "
            "where bucket_key = '2026-08-03'",
        ) == [(40000, "input_cache_write_30m_tokens")]


class TestCosts:
    def test_dollars_are_exact_whether_number_text_or_exponent(self, settings, server):
        load(settings, server, **COSTS_ONLY)

        assert rows(
            settings,
            """
            select line_item, amount, exact_amount, currency, quantity, quantity_unit
            from {raw}.openai_admin_costs where bucket_key = '2026-08-03' order by line_item
            """,
        ) == [
            ("assistants api | file search", Decimal("0.0000015"), "0.0000015", "USD", None, None),
            ("gpt-5, cached_input_tokens", Decimal("0.1125"), "0.1125", "USD", 900000, "tokens"),
            ("gpt-5, input_tokens", Decimal("0.75"), "0.75", "USD", 600000, "tokens"),
            ("gpt-5, output_tokens", Decimal("1.2"), "1.2", "USD", 120000, "tokens"),
            ("gpt-5-mini, hologram_tokens", Decimal("1e-7"), "0.0000001", "USD", 1, "tokens"),
            # 15 decimals are kept as a number, all of them as text
            *[
                ("web search tool calls", Decimal("0.130804383403075"))
                + ("0.13080438340307526", "USD", 7, None)
            ],
        ]

        # a number that became a text is no change
        for bucket in server.data["costs"]:
            for result in bucket["results"]:
                result["amount"]["value"] = f"{Decimal(result['amount']['value']):.20f}"
        assert load(settings, server, **COSTS_ONLY).load_id is None

    def test_money_that_is_no_number_is_put_aside(self, settings, server):
        results = server.data["costs"][1]["results"]
        for result, value in zip(results, ["free", None, True, "NaN"], strict=False):
            result["amount"]["value"] = value
        result = load(settings, server, **COSTS_ONLY)

        assert result.counts.rows_quarantined == 4
        assert rows(settings, "select distinct reason from {raw}.quarantine order by all") == [
            ("amount.value: is not an amount",),
            ("amount.value: is not an amount within reason",),
        ]
        assert rows(settings, "select count(*) from {raw}.openai_admin_costs") == [(6,)]

    def test_an_organization_is_part_of_the_key(self, settings, server):
        load(settings, server, **COSTS_ONLY)
        load(settings, server, **COSTS_ONLY, organization_id="org-acme")

        assert rows(
            settings,
            "select org_id, min(bucket_key), count(*) from {raw}.openai_admin_costs "
            "group by org_id order by org_id nulls first",
        ) == [(None, "2026-08-02", 10), ("org-acme", "org-acme/2026-08-02", 10)]
        assert load(settings, server, **COSTS_ONLY).load_id is None


class TestAuditLogs:
    def test_an_event_lands_with_its_actor_as_a_pseudonym(self, settings, server):
        load(settings, server, **AUDIT_ONLY)

        key = customer_key(settings.home, "local")
        lee, fingerprint = key.person("lee@example.com"), key.fingerprint("ip", "203.0.113.77")
        events = rows(
            settings,
            """
            select
                event_type, project_id, actor_type, actor_person_id, actor_api_key_id,
                actor_service_account_id, ip_fingerprint, resource_type, resource_id, reason_code,
                details_json
            from {raw}.openai_admin_audit_logs order by occurred_at
            """,
        )
        scopes, limit = '{"data": {"scopes": ["all"]}}', "max_requests_per_1_minute"
        project = "proj_R8sTn2VbQ"
        assert [event[:10] + (event[10] and json.loads(event[10]),) for event in events] == [
            ("api_key.created", project, "session", lee, None, None, fingerprint)
            + ("api_key", "key_Zk3LmW9xT", None, json.loads(scopes)),
            ("rate_limit.updated", project, "api_key", None, "key_Zk3LmW9xT", "svc_acct_1", None)
            + ("rate_limit", "rl-gpt-5", None, {"changes_requested": {limit: 500}}),
            ("user.updated", None, "session", lee, None, None, fingerprint)
            + ("user", key.person("user-c02Xy"), None, {"changes_requested": {"role": "owner"}}),
            ("invite.sent", None, "session", lee, None, None, fingerprint)
            + ("invite", "invite-77", None)
            + (
                {
                    "data": {
                        "email": "fingerprint_"
                        + key.fingerprint("details", "new.person@example.com")[:16],
                        "role": "reader",
                    }
                },
            ),
            ("login.failed", None, None, None, None, None, None, "login", None, "invalid_mfa")
            + (
                {
                    "error_code": "invalid_mfa",
                    "error_message": "fingerprint_"
                    + key.fingerprint("details", "Code was wrong for lee@example.com")[:16],
                },
            ),
        ]

    def test_new_events_are_caught_up_until_known_ones(self, settings, server):
        load(settings, server, **AUDIT_ONLY)
        newest = server.data["audit_logs"][0]
        for number in range(3):
            event = copy.deepcopy(newest)
            event |= {"id": f"audit_log-new{number}", "effective_at": event["effective_at"] + 60}
            server.data["audit_logs"].append(event)
        asked = len(server.requests)

        load(settings, server, **AUDIT_ONLY)

        ids = rows(settings, "select event_id from {raw}.openai_admin_audit_logs order by all")
        assert len(ids) == len(set(ids)) == 8
        # two pages with new ones, and one of known ones
        assert len(server.requests) - asked == 3

    def test_the_pages_hold_on_to_a_scope_that_is_missing(self, settings, server):
        with pytest.raises(MindweaveError, match="403: the key lacks a scope"):
            load(settings, server, **AUDIT_ONLY, api_key=KEY_WITHOUT_SCOPES)


class TestIdentities:
    def test_people_are_pseudonyms_and_keys_know_their_owner(self, settings, server):
        load(settings, server, **IDENTITIES_ONLY)

        key = customer_key(settings.home, "local")
        assert sorted(
            rows(settings, "select user_id, person_id, role from {raw}.openai_admin_users")
        ) == sorted(
            [
                (key.person("user-b81Kc"), key.person("lee@example.com"), "owner"),
                (key.person("user-c02Xy"), key.person("kim@example.com"), "reader"),
                (key.person("user-d99"), key.person("user-d99"), "reader"),
            ]
        )
        assert rows(
            settings,
            """
            select
                api_key_id, key_kind, project_id, owner_type, owner_user_id,
                owner_service_account_id
            from {raw}.openai_admin_api_keys order by api_key_id
            """,
        ) == [
            ("key_Zk3LmW9xT", "project", "proj_R8sTn2VbQ", "user", key.person("user-b81Kc"), None),
            ("key_admin1", "admin", None, "user", key.person("user-b81Kc"), None),
            ("key_svc7Q", "project", "proj_R8sTn2VbQ", "service_account", None, "svc_acct_1"),
        ]

    def test_a_change_lands_and_what_vanished_is_deleted_once(self, settings, server):
        load(settings, server, **IDENTITIES_ONLY)
        server.data["users"][1]["role"] = "owner"
        del server.data["users"][2]
        server.data["projects"][1]["created_at"] = "soon"  # who is in quarantine is not gone
        # to use a key is no change
        server.data["project_api_keys"]["proj_R8sTn2VbQ"][0]["last_used_at"] += 3600

        load(settings, server, **IDENTITIES_ONLY)
        assert load(settings, server, **IDENTITIES_ONLY).load_id is None

        key = customer_key(settings.home, "local")
        assert rows(
            settings,
            "select user_id, role, is_deleted from {raw}.openai_admin_users order by is_deleted",
        )[-1] == (key.person("user-d99"), None, True)
        landed = counts_of_rows(settings)
        assert (landed["users"], landed["api_keys"], landed["projects"]) == (5, 3, 3)


class TestRefusals:
    def test_a_wrong_key_is_one_line_that_does_not_show_it(self, settings, server):
        with pytest.raises(MindweaveError, match="401: the key was refused") as caught:
            load(settings, server, api_key="sk-of-a-project")
        assert "sk-of-a-project" not in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_html_instead_of_json_is_one_line(self, settings, server):
        server.html_next(COMPLETIONS, times=9)
        with pytest.raises(MindweaveError, match="HTML instead of JSON"):
            load(settings, server)

    def test_a_data_file_is_the_vendors_shape(self):
        for path in DATA.glob("usage_*.json"):
            for bucket in json.loads(path.read_text("utf-8")):
                assert bucket["object"] == "bucket"
                assert bucket["end_time"] - bucket["start_time"] == 86400


def test_a_kill_costs_no_more_than_the_part_under_way(tmp_path, server):
    killed, whole = home_settings(tmp_path / "killed" / "home"), home_settings(tmp_path / "whole")
    configuration = {**USAGE_ONLY, "window_days": 2, "corrected_days": 1}
    environment = command_environment(
        killed.home,
        **{
            f"SOURCES__OPENAI_ADMIN__{name.upper()}": str(value).lower()
            for name, value in configuration.items()
            if name != "usage_reports"
        },
        SOURCES__OPENAI_ADMIN__USAGE_REPORTS='["completions"]',
        SOURCES__OPENAI_ADMIN__API_KEY=ADMIN_KEY,
        SOURCES__OPENAI_ADMIN__BASE_URL=f"{server.base_url}/v1",
        SOURCES__OPENAI_ADMIN__START_DATE='"2026-08-01"',
    )
    server.hold_after(COMPLETIONS, 2)

    command = [str(MINDWEAVE), "load", "--source", "openai_admin"]
    with subprocess.Popen(command, env=environment, cwd=REPOSITORY) as process:
        deadline = time.monotonic() + 240
        while len(server.asked(COMPLETIONS)) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
    server.release()
    assert input_tokens(killed)
    asked_before = len(server.asked(COMPLETIONS))

    load(killed, server, **configuration)

    starts = [int(request.one("start_time")) for request in server.asked(COMPLETIONS)]
    assert min(starts[asked_before:]) > min(starts)
    load(whole, server, **configuration)
    assert input_tokens(killed) == input_tokens(whole)
