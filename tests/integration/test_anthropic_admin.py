"""The Admin API over real HTTP, into a real DuckDB file."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.load import load_source
from dlt_pipelines.privacy import customer_key
from dlt_pipelines.sources.anthropic_admin import AnthropicAdminPlugin
from dlt_pipelines.sources.anthropic_admin.config import AnthropicAdminConfig
from tests.load_context import load_context
from tests.transcripts import home_settings, rows
from tests.vendors.anthropic_admin import ADMIN_KEY, ANALYTICS_KEY, OAUTH_TOKEN, AnthropicAdmin

EVERYTHING = ("usage", "cost", "claude_code", "users", "workspaces", "api_keys")
NOW = datetime(2026, 11, 6, 10, 30)
DEFAULT_WORKSPACE = "wrkspc_01Default7Kd2mQx9VbT4sLrYpNe"
HAIKU = "claude-haiku-4-5-20251001"
PAYMENTS = "wrkspc_01Qh7sT3mVb9LrK2xYp4NeDa"

USAGE_BY_DAY = """
    select
        bucket_key,
        cast(sum(uncached_input_tokens) as bigint),
        cast(sum(ephemeral_5m_input_tokens) as bigint),
        cast(sum(ephemeral_1h_input_tokens) as bigint),
        cast(sum(cache_read_input_tokens) as bigint),
        cast(sum(output_tokens) as bigint),
        cast(sum(web_search_requests) as bigint)
    from {raw}.anthropic_admin_usage group by all order by all
"""
WHAT_HAPPENED = [
    ("2026-11-01", 3540000, 400000, 100000, 10000000, 669000, 12),
    ("2026-11-02", 182000, 330000, 0, 5700000, 79000, 0),
    ("2026-11-04", 700000, 0, 0, 0, 100000, 0),
    ("2026-11-05", 260000, 0, 0, 0, 7000, 0),
]


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.delenv("MINDWEAVE_PRIVACY_KEY", raising=False)
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")


@pytest.fixture
def settings(tmp_path):
    return home_settings(tmp_path / "home")


@pytest.fixture
def vendor():
    return AnthropicAdmin(NOW)


def load(settings, vendor, *reads, now=NOW, **configuration):
    """Load ``reads``, by default usage alone: every report and list takes its time."""
    values = {"api_key": ADMIN_KEY, "history_days": 7, "reads": reads or ["usage"]}
    with vendor.running() as url:
        values |= {"base_url": url, **configuration}
        result = load_source(settings, "anthropic_admin", values, now=now)
    counts = result.counts
    assert counts.rows_read == counts.rows_loaded + counts.rows_ignored + counts.rows_quarantined
    return result


def raw(settings, columns, table, more=""):
    return rows(
        settings, f"select {columns} from {{raw}}.anthropic_admin_{table} {more} order by all"
    )


class TestReports:
    def test_the_newest_reports_are_read_first_and_nothing_lands_twice(self, settings, vendor):
        load(settings, vendor, *EVERYTHING)

        assert rows(settings, USAGE_BY_DAY) == WHAT_HAPPENED
        assert raw(settings, "distinct endpoint, group_by", "usage") == [
            ("analytics/usage", "inference_geo,model,service_tier,speed,workspace_id")
        ]
        assert raw(settings, "distinct endpoint", "costs") == [("analytics/cost",)]
        assert not vendor.asked("usage_report/messages")

        again = load(settings, vendor, *EVERYTHING)
        assert again.load_id is None
        assert again.counts.rows_loaded == 0

    def test_the_default_workspace_has_its_id_and_groups_keep_apart(self, settings, vendor):
        load(settings, vendor)
        assert raw(
            settings,
            "workspace_id, model, service_tier, speed, inference_geo, requests, total_tokens",
            "usage",
            "where bucket_key = '2026-11-01'",
        ) == [
            (DEFAULT_WORKSPACE, HAIKU, "batch", "standard", "global", 1000, 2400000),
            (DEFAULT_WORKSPACE, "claude-sonnet-4-6", "standard", "standard", "global", 11, 49000),
            (PAYMENTS, "claude-opus-5", "standard", "standard", "global", 410, 10910000),
            (PAYMENTS, "claude-opus-5", "standard", "standard", "us", 90, 1350000),
        ]

    def test_cents_are_exact_dollars_net_and_list(self, settings, vendor):
        load(settings, vendor, "cost")
        assert raw(
            settings,
            "amount_usd, list_amount_usd, currency",
            "costs",
            "where cost_type = 'code_execution'",
        ) == [(Decimal("412.8"), Decimal("412.8"), "USD")]
        assert raw(
            settings,
            "amount_usd, list_amount_usd",
            "costs",
            "where bucket_key = '2026-11-01' and token_type = 'output_tokens' "
            "and api_key_id = 'apikey_01Ka9wZt6QnVd3Rf5Hs8LmXe'",
        ) == [(Decimal("4.9875"), Decimal("5.25"))]

    def test_where_the_newest_reports_are_refused_the_classic_ones_are_read(self, settings, vendor):
        vendor.refused = {"analytics/usage": 404, "analytics/cost": 403}
        load(settings, vendor, "usage", "cost")

        assert rows(settings, USAGE_BY_DAY) == WHAT_HAPPENED
        assert raw(settings, "distinct endpoint", "usage") == [("usage_report/messages",)]
        assert raw(
            settings,
            "distinct api_key_id, workspace_id",
            "usage",
            "where model = 'claude-sonnet-4-6' and bucket_key = '2026-11-01'",
        ) == [(None, None)]
        # no list amount, and nothing of what a commitment pays
        assert raw(settings, "endpoint, count(list_amount_usd)", "costs", "group by all") == [
            ("cost_report", 0)
        ]
        assert raw(settings, "*", "costs", "where bucket_key = '2026-11-04'") == []

    def test_the_default_workspace_can_be_given_its_id(self, settings, vendor):
        load(settings, vendor, reports="classic", default_workspace_id=DEFAULT_WORKSPACE)
        assert not vendor.asked("analytics/usage")
        assert raw(settings, "*", "usage", "where workspace_id is null") == []

    def test_both_generations_tell_the_same_and_the_last_one_counts(self, settings, vendor):
        load(settings, vendor, reports="classic")
        load(settings, vendor, reports="analytics")
        newest = """
            select bucket_key, cast(sum(output_tokens) as bigint), min(endpoint)
            from (
                select *, dense_rank() over (
                    partition by report, bucket_key order by loads.started_at desc
                ) as recency
                from {raw}.anthropic_admin_usage inner join {raw}.loads using (load_id)
            )
            where recency = 1 group by all order by all
        """
        assert rows(settings, newest) == [
            (day, output, "analytics/usage") for day, *_, output, _ in WHAT_HAPPENED
        ]

    def test_only_the_day_that_was_restated_lands_again(self, settings, vendor):
        load(settings, vendor)
        vendor.usage[0]["usage"]["output_tokens"] += 5
        result = load(settings, vendor)

        of_this_load = f"where load_id = '{result.load_id}' group by all"
        assert raw(settings, "bucket_key, count(*)", "usage", of_this_load) == [("2026-11-01", 4)]

    def test_minutes_are_read_a_day_at_a_time(self, settings, vendor):
        load(settings, vendor, bucket_width="1m")

        assert rows(settings, USAGE_BY_DAY) == WHAT_HAPPENED
        assert len(vendor.asked("analytics/usage")) == 8

    def test_a_day_that_became_empty_says_so_once(self, settings, vendor):
        load(settings, vendor)
        del vendor.usage[-1]
        load(settings, vendor)
        load(settings, vendor)

        assert raw(
            settings,
            "bucket_key, bucket_start_at, bucket_end_at, content_hash",
            "usage",
            "where is_empty",
        ) == [("2026-11-05", datetime(2026, 11, 5), datetime(2026, 11, 6), "empty")]

    def test_a_day_lands_again_once_it_is_known_to_be_whole(self, settings, vendor):
        vendor.refreshed_at = datetime(2026, 11, 5, 20)
        load(settings, vendor)
        vendor.refreshed_at = datetime(2026, 11, 6, 4)
        load(settings, vendor)
        vendor.refreshed_at = datetime(2026, 11, 6, 8)
        load(settings, vendor)

        assert raw(settings, "data_refreshed_at", "usage", "where bucket_key = '2026-11-05'") == [
            (datetime(2026, 11, 5, 20),),
            (datetime(2026, 11, 6, 4),),
        ]

    def test_other_dimensions_replace_the_same_day(self, settings, vendor):
        load(settings, vendor)
        load(settings, vendor, usage_group_by=["actor", "api_key_id", "product"], bucket_width="1h")

        key = customer_key(settings.home, "local")
        assert raw(
            settings,
            "user_id, product, bucket_start_at",
            "usage",
            "where group_by = 'actor,api_key_id,product' and user_id is not null",
        ) == sorted(
            [
                (key.person("nadia.k@example.com"), None, datetime(2026, 11, 1, 21)),
                (key.person("nadia.k@example.com"), "claude_code", datetime(2026, 11, 2, 23)),
            ],
            key=lambda row: str(row[1]) != "claude_code",
        )

    def test_a_history_comes_in_windows_and_is_not_read_again(self, settings, vendor):
        load(settings, vendor, history_days=25, correction_days=5, window_days=10)
        assert rows(settings, USAGE_BY_DAY) == WHAT_HAPPENED
        assert raw(settings, "read_until_at", "progress") == [
            (datetime(2026, 10, 22),),
            (datetime(2026, 11, 1),),
        ]
        before = len(vendor.asked("analytics/usage"))
        load(settings, vendor, history_days=25, correction_days=5, window_days=10)
        starts = [
            request.one("starting_at") for request in vendor.asked("analytics/usage")[before:]
        ]
        assert starts == ["2026-11-01T00:00:00Z"]

    def test_a_history_goes_on_where_it_was_cut_off(self, settings, vendor):
        windows = {"history_days": 25, "correction_days": 5, "window_days": 10}
        path = "/v1/organizations/analytics/usage"
        asked = vendor._analytics("usage")
        vendor.server._routes[path] = lambda request: (
            (
                vendor.server.fail_next(path, 500, times=9)
                if request.one("starting_at") > "2026-10-20"
                else None
            )
            or asked(request)
        )
        with pytest.raises(MindweaveError, match="analytics/usage answered 500"):
            load(settings, vendor, **windows)
        vendor.server._faults.clear()
        vendor.server._routes[path] = asked
        before = len(vendor.asked("analytics/usage"))
        load(settings, vendor, **windows)

        [going_on, *_] = vendor.asked("analytics/usage")[before:]
        assert going_on.one("starting_at") == "2026-10-22T00:00:00Z"
        assert rows(settings, USAGE_BY_DAY) == WHAT_HAPPENED

    def test_a_time_of_ones_own_is_read_without_a_note_of_it(self, settings, vendor, tmp_path):
        with vendor.running() as url:
            config = AnthropicAdminConfig.model_validate(
                {"api_key": ADMIN_KEY, "base_url": url, "reads": ["usage"]}
            )
            plugin = AnthropicAdminPlugin(config, load_context(tmp_path, now=NOW))
            landed = plugin.fetch(datetime(2026, 11, 1), datetime(2026, 11, 2))
        assert {resource.name for resource in landed} >= {"anthropic_admin_usage"}
        [request] = vendor.asked("analytics/usage")
        assert request.one("starting_at") == "2026-11-01T00:00:00Z"
        assert request.one("ending_at") == "2026-11-02T00:00:00Z"
        assert (plugin.is_complete, plugin.context.counts.rows_loaded) == (True, 4)

    def test_after_a_long_pause_what_was_corrected_meanwhile_is_read(self, settings, vendor):
        load(settings, vendor, history_days=40, window_days=10)
        vendor.now = later = NOW + timedelta(days=40)
        vendor.usage[0]["usage"]["output_tokens"] += 5
        load(settings, vendor, now=later, history_days=80, window_days=31)
        of_that_day = "where bucket_key = '2026-11-01'"
        assert raw(settings, "count(distinct load_id)", "usage", of_that_day) == [(2,)]


class TestTroubles:
    def test_what_passes_is_tried_again(self, settings, vendor):
        path = "/v1/organizations/analytics/usage"
        vendor.server.fail_next(path, 429, headers={"Retry-After": "0"})
        vendor.server.fail_next(path, 500)
        vendor.server.truncate_next(path)
        vendor.server.drop_next(path)
        load(settings, vendor)
        assert rows(settings, USAGE_BY_DAY) == WHAT_HAPPENED

    def test_a_page_that_repeats_counts_once(self, settings, vendor, monkeypatch):
        monkeypatch.setattr("dlt_pipelines.sources.anthropic_admin.client.MOST_ROWS", 2)
        vendor.server.repeat_next("/v1/organizations/analytics/usage")
        load(settings, vendor)
        assert rows(settings, USAGE_BY_DAY) == WHAT_HAPPENED

    def test_data_that_is_refreshed_between_two_pages_is_read_from_the_first(
        self, settings, vendor, monkeypatch
    ):
        monkeypatch.setattr("dlt_pipelines.sources.anthropic_admin.client.MOST_ROWS", 2)
        vendor.refreshes_at_page = 2
        load(settings, vendor)
        assert rows(settings, USAGE_BY_DAY) == WHAT_HAPPENED

    @pytest.mark.parametrize(
        ("configuration", "message"),
        [
            ({"api_key": "sk-ant-admin01-old"}, "me answered 401: the key was refused"),
            (
                {"api_key": ANALYTICS_KEY, "organization_id": "org_1", "reads": ["users"]},
                "answered 403: the key lacks a scope",
            ),
            ({"reads": ["service_accounts"]}, "service_accounts answered 403"),
            ({"api_key": None}, "api_key is missing"),
            (
                {
                    "usage_group_by": [
                        "actor",
                        "model",
                        "speed",
                        "product",
                        "session_id",
                        "agent_id",
                    ]
                },
                "more than 5 dimensions",
            ),
        ],
    )
    def test_what_the_vendor_refuses_is_said_in_one_line(
        self, settings, vendor, configuration, message
    ):
        with pytest.raises(MindweaveError, match=message) as raised:
            load(settings, vendor, **configuration)
        assert "\n" not in str(raised.value)
        assert "sk-ant" not in str(raised.value)

    def test_an_analytics_key_opens_usage_and_cost(self, settings, vendor):
        load(
            settings,
            vendor,
            api_key=ANALYTICS_KEY,
            organization_id="org_1",
        )
        assert rows(settings, USAGE_BY_DAY) == WHAT_HAPPENED

    def test_a_page_for_people_is_no_answer(self, settings, vendor):
        vendor.server.html_next("/v1/organizations/users")
        with pytest.raises(MindweaveError, match="HTML instead of JSON"):
            load(settings, vendor, "users")

    def test_what_cannot_be_used_is_put_aside_and_the_rest_lands(self, settings, vendor):
        vendor.costs[0]["group"]["model"] = 5
        vendor.usage[1]["group"]["service_tier"] = False
        load(settings, vendor, "usage", "cost")
        load(settings, vendor, "usage", "cost")

        assert rows(settings, "select location, reason from {raw}.quarantine order by all") == [
            ("analytics/cost", "group.model: Input should be a valid string"),
            ("analytics/usage", "group.service_tier: Input should be a valid string"),
        ]
        assert raw(settings, "count(*)", "usage", "where bucket_key = '2026-11-01'") == [(3,)]

    def test_an_amount_that_is_none_and_another_currency_are_put_aside(self, settings, vendor):
        vendor.costs[-1]["currency"] = "EUR"
        vendor.claude_code[0]["model_breakdown"][0]["estimated_cost"]["amount"] = "much"
        load(settings, vendor, "cost", "claude_code")
        assert rows(settings, "select reason from {raw}.quarantine order by all") == [
            ("cost.currency: Input should be 'USD'",),
            ("model_breakdown.0.estimated_cost.amount: is not an amount",),
        ]

    @pytest.mark.parametrize(
        ("path", "answer", "message"),
        [
            ("users", {"data": [{"email": "dana@example.com"}]}, "users does not say has_more"),
            ("users", {"data": None, "has_more": False}, "users answered without a list `data`"),
            ("me", {"id": 7}, "me answered with a wrong id"),
            ("analytics/usage", {"data_refreshed_at": "soon"}, "a wrong data_refreshed_at"),
        ],
    )
    def test_an_answer_of_another_shape_is_said_in_one_line(
        self, settings, vendor, path, answer, message
    ):
        vendor.server._routes[f"/v1/organizations/{path}"] = lambda request: answer
        with pytest.raises(MindweaveError, match=message) as raised:
            load(settings, vendor, "usage", "users")
        assert "\n" not in str(raised.value)
        assert "dana" not in str(raised.value)

    def test_a_field_that_we_do_not_know_is_named(self, settings, vendor):
        vendor.lists["users"][0]["nickname"] = "Nad"
        load(settings, vendor, "users")
        assert raw(settings, "unknown_fields", "users", "where unknown_fields is not null") == [
            ("nickname",)
        ]


class TestClaudeCode:
    def test_cents_are_numbers_and_people_are_one_however_they_write(self, settings, vendor):
        load(settings, vendor, "claude_code")
        key = customer_key(settings.home, "local")
        nadia = key.person("nadia.k@example.com")
        assert raw(
            settings,
            "bucket_key, user_id, terminal_type, model, estimated_cost_usd",
            "claude_code_usage",
        ) == [
            ("2026-11-02", nadia, "iTerm.app", "claude-opus-5", Decimal("0.0075")),
            ("2026-11-02", nadia, "vscode", HAIKU, Decimal("10.25")),
            ("2026-11-02", nadia, "vscode", "claude-opus-5", Decimal("5.97")),
            ("2026-11-05", None, "vscode", "claude-opus-5", Decimal("0.015")),
        ]
        assert raw(settings, "cast(sum(sessions) as int), count(*)", "claude_code_activity") == [
            (12, 3)
        ]
        days = [request.one("starting_at") for request in vendor.asked("usage_report/claude_code")]
        assert days == [f"{NOW - timedelta(days=ago):%Y-%m-%d}" for ago in range(7, -1, -1)]

    def test_a_key_is_found_by_the_fingerprint_of_its_name(self, settings, vendor):
        load(settings, vendor, "claude_code", "api_keys")
        assert rows(
            settings,
            """
            select keys.api_key_id
            from {raw}.anthropic_admin_claude_code_usage as used
            inner join {raw}.anthropic_admin_api_keys as keys
                on used.api_key_name_fingerprint = keys.name_fingerprint
            """,
        ) == [("apikey_01Cc4TgYb2Lc8Nd6RvPq3SxFm",)]


class TestWhoIsWho:
    def test_a_key_is_read_in_all_its_shapes(self, settings, vendor):
        load(settings, vendor, "users", "workspaces", "api_keys", team_tag="team")
        key = customer_key(settings.home, "local")
        nadia, sam = key.person("nadia.k@example.com"), key.person("sam.ortiz@example.com")
        assert raw(settings, "workspace_id, scope_type, principal_type, person_id", "api_keys") == [
            ("default", None, None, None),
            ("wrkspc_01ClaudeCode5Hs8LmXeQnVd3Rf", None, None, nadia),
            (PAYMENTS, "workspace", "service_account", None),
            (None, "organization", "user", nadia),
            (None, None, "user", sam),
        ]
        assert raw(settings, "name, team_id", "workspaces", "where team_id is not null") == [
            ("Payments", "payments")
        ]
        assert raw(settings, "count(*)", "workspace_members") == [(3,)]

    def test_who_changes_lands_again_and_who_leaves_once_more(self, settings, vendor):
        load(settings, vendor, "users")
        vendor.lists["users"][0]["role"] = "admin"
        del vendor.lists["users"][2]
        load(settings, vendor, "users")
        load(settings, vendor, "users")
        assert raw(settings, "role, is_deleted", "users") == [
            ("admin", False),
            ("admin", False),
            ("billing", False),
            ("developer", False),
            (None, True),
        ]

    def test_lists_are_read_page_by_page(self, settings, vendor, monkeypatch):
        monkeypatch.setattr("dlt_pipelines.sources.anthropic_admin.client.MOST_ROWS", 2)
        load(settings, vendor, "users", "api_keys")
        assert raw(settings, "count(*)", "users") == [(3,)]
        assert raw(settings, "count(*)", "api_keys") == [(5,)]

    def test_service_accounts_need_a_token(self, settings, vendor):
        load(settings, vendor, "service_accounts", api_key=None, oauth_token=OAUTH_TOKEN)
        assert raw(settings, "service_account_id", "service_accounts") == [
            ("svac_01Pp2QwEr4TyUi8OpAs6DfGh",)
        ]

    def test_no_name_and_no_address_of_a_person_lands(self, settings, vendor):
        load(settings, vendor, *EVERYTHING, usage_group_by=["actor", "model"])
        for canary in (
            b"nadia",
            b"Kovacs",
            b"example.com",
            b"sk-ant",
            b"payments-prod",
            b"user_01",
        ):
            assert canary.lower() not in (settings.home / "mindweave.duckdb").read_bytes().lower()
