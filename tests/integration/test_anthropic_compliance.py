"""The Activity Feed over real HTTP and exports from disk, into a real DuckDB file."""

import copy
import json
import shutil
from datetime import datetime

import pytest

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.load import load_source
from dlt_pipelines.privacy import customer_key
from dlt_pipelines.sources.anthropic_compliance import (
    AnthropicComplianceConfig,
    AnthropicCompliancePlugin,
)
from tests.load_context import load_context
from tests.transcripts import home_settings, rows
from tests.vendors.anthropic_compliance import (
    AUDIT_LOG,
    COMPLIANCE_KEY,
    OTHER_KEY,
    PATH,
    AnthropicCompliance,
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.delenv("MINDWEAVE_PRIVACY_KEY", raising=False)
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")


@pytest.fixture
def settings(tmp_path):
    return home_settings(tmp_path / "home")


@pytest.fixture
def vendor():
    return AnthropicCompliance()


def load(settings, vendor, **configuration):
    with vendor.running() as url:
        values = {"api_key": COMPLIANCE_KEY, "base_url": url, **configuration}
        result = load_source(settings, "anthropic_compliance", values)
    counts = result.counts
    assert counts.rows_read == counts.rows_loaded + counts.rows_ignored + counts.rows_quarantined
    return result


def load_export(settings, path=AUDIT_LOG):
    return load_source(settings, "anthropic_compliance", {"paths": [path]})


def events(settings, columns, where="true"):
    table = "{raw}.anthropic_compliance_events"
    return rows(settings, f"select {columns} from {table} where {where} order by all")


def the_event(settings, action):
    """Return what an event of a type says: who, on what, before and after."""
    columns = "actor_kind, actor_id, resource_type, resource_id, before_json, after_json"
    [(*event, before, after)] = events(settings, columns, f"action = '{action}'")
    return (*event, json.loads(before or "{}"), json.loads(after or "{}"))


def new_activity(vendor, number):
    """Add an activity that is newer than all others."""
    activity = copy.deepcopy(vendor.activities[-1])
    activity |= {"id": f"activity_new_{number}", "created_at": f"2026-08-05T00:00:{number:02}Z"}
    vendor.activities.insert(0, activity)


class TestTheFeed:
    def test_the_history_lands_in_packages_and_then_only_what_is_new(self, settings, vendor):
        pages = {"page_size": 3, "pages_per_package": 3}
        load(settings, vendor, **pages)
        assert events(settings, "count(*), count(distinct event_id), count(distinct load_id)") == [
            (11, 11, 2)
        ]
        assert load(settings, vendor, **pages).load_id is None

        for number in range(4):
            new_activity(vendor, number)
        before = len(vendor.asked())
        load(settings, vendor, **pages)
        assert all(request.one("before_id") for request in vendor.asked()[before:])
        assert events(settings, "count(*), count(distinct event_id)") == [(15, 15)]

    def test_what_happens_while_the_history_is_read_lands_too(self, settings, vendor):
        feed = vendor._feed

        def busy(request):
            if len(vendor.asked()) == 2:
                new_activity(vendor, 1)
            return feed(request)

        vendor.server._routes[PATH] = busy
        load(settings, vendor, page_size=4)
        assert events(settings, "count(*)") == [(12,)]

    def test_troubles_pass_and_a_page_that_repeats_counts_once(self, settings, vendor):
        vendor.server.fail_next(PATH, 429, headers={"Retry-After": "0"})
        vendor.server.truncate_next(PATH)
        vendor.server.fail_next(PATH, 500)
        feed = vendor._feed
        vendor.server._routes[PATH] = lambda request: (
            (vendor.server.repeat_next(PATH) if len(vendor.asked()) == 5 else None) or feed(request)
        )
        load(settings, vendor, page_size=4)
        assert events(settings, "count(*), count(distinct event_id)") == [(11, 11)]

    def test_an_activity_that_is_told_again_is_ignored(self, settings, vendor):
        load(settings, vendor)
        vendor.activities.insert(0, vendor.activities[4])
        new_activity(vendor, 1)
        result = load(settings, vendor)
        assert (result.counts.rows_loaded, result.counts.rows_ignored) == (2, 1)
        assert events(settings, "count(*), count(distinct event_id)") == [(12, 12)]

    def test_a_cursor_counts_only_once_its_package_is_in(self, settings, vendor):
        pages = {"page_size": 4, "pages_per_package": 1}
        feed = vendor._feed
        vendor.server._routes[PATH] = lambda request: (
            (vendor.server.fail_next(PATH, 500, times=9) if len(vendor.asked()) == 1 else None)
            or feed(request)
        )
        with pytest.raises(MindweaveError, match="500"):
            load(settings, vendor, **pages)
        vendor.server._faults.clear()
        vendor.server._routes[PATH] = feed
        load(settings, vendor, **pages)
        assert events(settings, "count(*), count(distinct event_id)") == [(11, 11)]

    def test_a_time_of_ones_own_is_read_without_a_cursor(self, vendor, tmp_path):
        with vendor.running() as url:
            config = AnthropicComplianceConfig.model_validate(
                {"api_key": COMPLIANCE_KEY, "base_url": url, "paths": [AUDIT_LOG]}
            )
            plugin = AnthropicCompliancePlugin(config, load_context(tmp_path))
            plugin.fetch(datetime(2026, 8, 4), datetime(2026, 8, 4, 13))
        # two of the feed, one of the export
        assert plugin.context.counts.rows_loaded == 3

    def test_an_empty_feed_is_asked_again(self, settings, vendor):
        activities, vendor.activities = vendor.activities, []
        assert load(settings, vendor).load_id is None
        vendor.activities = activities
        load(settings, vendor)
        assert events(settings, "count(*)") == [(11,)]

    @pytest.mark.parametrize(
        ("configuration", "message"),
        [
            ({"api_key": "sk-ant-api01-old"}, "activities answered 401"),
            ({"api_key": OTHER_KEY}, "activities answered 403"),
            ({"api_key": None}, "api_key is missing, or paths"),
            ({"paths": ["/nowhere"]}, "no audit log export at /nowhere"),
        ],
    )
    def test_what_is_wrong_is_said_in_one_line(self, settings, vendor, configuration, message):
        with pytest.raises(MindweaveError, match=message) as raised:
            load(settings, vendor, **configuration)
        assert "\n" not in str(raised.value)
        assert "sk-ant" not in str(raised.value)

    def test_what_is_no_activity_is_put_aside(self, settings, vendor):
        vendor.activities[0]["created_at"] = "soon"
        del vendor.activities[1]["type"]
        load(settings, vendor)
        assert rows(settings, "select reason from {raw}.quarantine order by all") == [
            ("created_at: is not a time",),
            ("type: Field required",),
        ]
        assert events(settings, "count(*)") == [(9,)]


class TestWhatAnEventSays:
    @pytest.fixture
    def key(self, settings, vendor):
        load(settings, vendor)
        return customer_key(settings.home, "local")

    def test_of_policies_limits_roles_and_keys(self, settings, key):
        admin = key.person("sec-admin@example.com")
        server = "mcpsrv_01Gd8KtVn3Pw6ZbLc2QxRy7M"
        about_server = {"mcp_server_id": server, "mcp_server_name": "Ticket Desk"}
        sam = key.person("user_01Xn5UhZc3Md9Oe7SwQr4TyG")
        assert the_event(settings, "mcp_tool_policy_updated") == (
            "user_actor",
            admin,
            "mcp_server",
            server,
            {},
            {**about_server, "max_permission": "blocked", "tool_name": "delete_ticket"},
        )
        assert the_event(settings, "mcp_server_deleted")[4:] == (about_server, {})
        kind, actor, _, workspace, before, after = the_event(
            settings, "workspace_spend_limit_created"
        )
        assert (kind, actor) == ("admin_api_key_actor", "apikey_01Vd5NcXt8Qb3KwRz6MhLyPg")
        assert after["limit_usd"] == "2500.00"
        _, _, kind, user, before, after = the_event(settings, "claude_user_role_updated")
        assert (kind, user, before) == ("user", sam, {"role": "user"})
        assert after["role"] == "admin"
        assert after["user_email"] == key.person("sam.ortiz@example.com")
        _, _, kind, _, before, after = the_event(settings, "platform_api_key_updated")
        assert kind == "api_key"
        assert (before["status"], after["status"]) == ("active", "inactive")
        assert before["name"].startswith("fingerprint_") and before["name"] != after["name"]
        assert the_event(settings, "group_member_added")[5]["member_ids"] == [sam]
        assert the_event(settings, "code_review_configuration_updated")[5] == {
            "per_review_limit_usd": "25.00"
        }

    def test_of_access_by_the_provider(self, settings, key):
        assert events(
            settings,
            "occurred_at, created_at, reason_code, resource_type, resource_id, actor_id",
            "action = 'anthropic_access'",
        ) == [
            (
                datetime(2026, 8, 2, 9, 30),
                datetime(2026, 8, 4, 11),
                "customer_request",
                "workspace",
                "wrkspc_01Qh7sT3mVb9LrK2xYp4NeDa",
                None,
            )
        ]

    def test_of_a_type_that_we_do_not_know(self, settings, key):
        kind, actor, *_, after = the_event(settings, "a_type_to_come")
        assert (kind, actor) == ("federated_actor", key.person("nadia"))
        assert after["how_many"] == 3
        assert after["limit_usd_as_told"] == "100"
        assert after["something"].startswith("fingerprint_")
        assert list(after["by_whom"]) == [key.person("nadia@example.com")]

    def test_and_nothing_of_a_person(self, settings, key):
        load_export(settings)
        content = (settings.home / "mindweave.duckdb").read_bytes().lower()
        for canary in (
            b"example.com", b"nadia", b"ortiz", b"203.0.113", b"2001:db8", b"mozilla", b"user_01",
            b"batch-ocr", b"sk-ant", b"0c1b2a3d", b"7e0d", b"free words",
        ):  # fmt: skip
            assert canary not in content, canary


class TestTheExport:
    def test_a_row_lands_once_and_a_broken_one_is_put_aside(self, settings, tmp_path):
        load_export(settings)
        assert events(settings, "action, occurred_at, unparsed_fields is not null") == [
            ("org_user_invite_sent", datetime(2026, 8, 4, 13, 20, 11), False),
            ("project_created", datetime(2026, 8, 3, 12), True),
            ("role_changed", datetime(2026, 8, 4, 10, 0, 0, 500000), False),
        ]
        assert rows(settings, "select line_number, reason from {raw}.quarantine order by all") == [
            (1, "created_at: is not a time"),
            (7, "3 columns instead of 9"),
        ]
        again = tmp_path / "exports"
        again.mkdir()
        shutil.copy(AUDIT_LOG, again / "later.csv")
        assert load_export(settings, again).load_id is None

    def test_dictionaries_are_json_or_python(self, settings):
        load_export(settings)
        key = customer_key(settings.home, "local")
        sam = key.person("sam.ortiz@example.com")
        _, actor, kind, id_, before, after = the_event(settings, "role_changed")
        assert (actor, kind, before) == (sam, "user", {"role": "user"})
        assert id_ == key.person("0c1b2a3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d")
        assert (after["role"], after["seats"]) == ("admin", None)
        _, actor, kind, id_, _, after = the_event(settings, "org_user_invite_sent")
        assert (actor, kind, id_) == (sam, "invite", "41aa0b1c-2d3e-4f50-8a6b-7c8d9e0f1a2b")
        assert after["invited_email"] == key.person("new@example.com")

    def test_another_file_is_refused(self, settings, tmp_path):
        other = tmp_path / "bill.csv"
        other.write_text("day,cost\n2026-08-01,5\n")
        with pytest.raises(MindweaveError, match=r"bill\.csv is no audit log export"):
            load_export(settings, other)
