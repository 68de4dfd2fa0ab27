"""What lands from OTLP files, in a real DuckDB file: claude_code_otel and otel_genai."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.jsonl_files import LINES_SCHEMA
from dlt_pipelines.load import load_source
from dlt_pipelines.privacy import customer_key
from tests.contents import prompt_hash, tool_hash
from tests.otlp import (
    AT_NS,
    CLAUDE_CODE,
    SECOND,
    api_request,
    as_line,
    attributes,
    event,
    logs,
    metrics,
    span,
    tool_result,
    traces,
    write,
)
from tests.transcripts import REPOSITORY, home_settings, rows

REAL = REPOSITORY.parent / "shared" / "real"
AGENT = {"service.name": "support-agent", "team.id": "support"}
WRITTEN = "Refund stuck since Monday"


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.delenv("MINDWEAVE_PRIVACY_KEY", raising=False)


@pytest.fixture
def settings(tmp_path):
    return home_settings(tmp_path / "home")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "otlp" / "telemetry.json"


def load(settings, *paths, source="claude_code_otel", root=None, **configuration):
    """Load the files and return read, loaded, ignored and quarantined records."""
    roots = [{"path": path, **(root or {})} for path in paths]
    found = load_source(settings, source, {"roots": roots, **configuration}).counts
    assert found.rows_read == found.rows_loaded + found.rows_ignored + found.rows_quarantined
    return found.rows_read, found.rows_loaded, found.rows_ignored, found.rows_quarantined


def landed(settings, table, *columns, order="all"):
    """Return columns of a raw table, in order."""
    return rows(settings, f"select {', '.join(columns)} from {{raw}}.{table} order by {order}")


def landed_one(settings, table):
    """Return the only row of a raw table, nulls left out."""
    with duckdb.connect(settings.warehouse_url, read_only=True) as connection:
        query = f"select * from {settings.raw_schema}.{table}"
        [row] = connection.execute(query).to_arrow_table().to_pylist()
    own = {"load_id", "file_id", "record_path", "line_number"}
    return {
        key: value
        for key, value in row.items()
        if value is not None and key not in own and not key.startswith("_dlt")
    }


def quarantine(settings):
    return landed(settings, "quarantine", "line_number", "reason")


def everything(settings):
    """Return every text of every raw table, to look for what must not be there."""
    with duckdb.connect(settings.warehouse_url, read_only=True) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = ?",
            [settings.raw_schema],
        ).fetchall()
        return "\n".join(
            str(connection.execute(f"select * from {settings.raw_schema}.{name}").fetchall())
            for (name,) in tables
        )


class TestClaudeCode:
    def test_a_request_lands_with_every_field_we_need(self, settings, file):
        write(file, logs(api_request(17), tool_result(18)))

        assert load(settings, file) == (2, 2, 0, 0)

        person = customer_key(settings.home, "local").person("dana@example.com")
        assert landed_one(settings, "claude_code_otel_requests") == {
            "event_name": "api_request",
            "session_id": "session-1",
            "org_id": "7f1c2c8e",
            "user_id": person,
            "team_id": "payments",
            "event_sequence": 17,
            "request_id": "req_17",
            "model": "claude-opus-5",
            "input_tokens": 6,
            "output_tokens": 187,
            "cache_read_tokens": 31800,
            "cache_creation_tokens": 4200,
            "cost_usd": Decimal("0.062605000000000"),
            "duration_ms": 2841,
            "is_error": False,
            "speed": "normal",
            "query_source": "repl_main_thread",
            "service_version": "2.1.240",
            "started_at": datetime(2026, 8, 3, 10, 15, 17, 799000),
            "ended_at": datetime(2026, 8, 3, 10, 15, 20, 640000),
        }
        assert landed_one(settings, "claude_code_otel_tool_events") == {
            "event_name": "tool_result",
            "session_id": "session-1",
            "org_id": "7f1c2c8e",
            "user_id": person,
            "team_id": "payments",
            "event_sequence": 18,
            "tool_use_id": "toolu_18",
            "mcp_server_name": "ticketdesk",
            "mcp_tool_name": "get_ticket",
            "is_success": True,
            "is_denied": False,
            "duration_ms": 412,
            "started_at": datetime(2026, 8, 3, 10, 15, 21, 228000),
            "ended_at": datetime(2026, 8, 3, 10, 15, 21, 640000),
        }

    def test_micros_are_preferred_and_exact(self, settings, file):
        micros = api_request(1, cost_usd_micros=55359, cost_usd=0.0554)
        dollars = api_request(2, cost_usd_micros=None, cost_usd="0.055359")
        write(file, logs(micros, dollars))
        load(settings, file)

        exact = Decimal("0.055359")
        assert landed(settings, "claude_code_otel_requests", "cost_usd") == [(exact,), (exact,)]

    def test_a_number_is_one_however_it_is_tagged(self, settings, file):
        tags = (
            {"intValue": "6"},
            {"intValue": 6},
            {"doubleValue": 6},
            {"doubleValue": 6.0},
            {"stringValue": "6"},
        )
        write(file, logs(*(api_request(n, input_tokens=tag) for n, tag in enumerate(tags))))

        assert load(settings, file) == (5, 5, 0, 0)
        assert landed(settings, "claude_code_otel_requests", "input_tokens") == [(6,)] * 5

    def test_a_record_of_a_wrong_type_is_quarantined_and_its_line_is_not(self, settings, file):
        no_count, no_tokens = "a count is not a whole number", "no input_tokens or no output_tokens"
        no_time, no_object = "missing or out of range", "the record is empty or no object"
        others: tuple[Any, ...] = (5, None, "text", [], True, {})
        wrong = [
            (api_request(2, input_tokens={"stringValue": "many"}), no_count),
            (api_request(2, input_tokens={"doubleValue": "NaN"}), no_count),
            (api_request(2, input_tokens={"doubleValue": 6.5}), no_count),
            (api_request(2, input_tokens={"intValue": "-6"}), no_count),
            (api_request(2, input_tokens={"boolValue": True}), no_count),
            (api_request(2, input_tokens={"arrayValue": {}}), no_tokens),
            (api_request(2, output_tokens=None), no_tokens),
            (api_request(2, cost_usd={"doubleValue": "NaN"}), "cost_usd is not an amount"),
            (api_request(2, request_id="a\x01b"), "an id or a name is not plain text"),
            *((api_request(2, at_ns=at_ns), no_time) for at_ns in (0, "", "soon", 10**18, 10**30)),
            *((other, no_object) for other in others),
        ]
        write(file, *(logs(api_request(1), record, api_request(3)) for record, _ in wrong))

        total = len(wrong)
        assert load(settings, file) == (3 * total, 2 * total, 0, total)
        found = quarantine(settings)
        assert [line for line, _ in found] == [*range(1, total + 1)]
        for (_, reason), (_, expected) in zip(found, wrong, strict=True):
            assert expected in reason
        assert landed(settings, "claude_code_otel_requests", "distinct request_id") == [
            ("req_1",),
            ("req_3",),
        ]

    def test_failed_requests_land_with_their_status(self, settings, file):
        write(
            file,
            logs(
                event("api_error", 1, status_code="429", model="claude-opus-5", request_id="r1"),
                event("api_retries_exhausted", 2, status_code=529, client_request_id="c2"),
                event("api_refusal", 3, status_code="undefined", error=WRITTEN),
            ),
        )

        assert load(settings, file) == (3, 3, 0, 0)
        assert landed(
            settings,
            "claude_code_otel_requests",
            *("event_name", "status_code", "is_error", "input_tokens", "client_request_id"),
        ) == [
            ("api_error", 429, True, None, None),
            ("api_refusal", None, True, None, None),
            ("api_retries_exhausted", 529, True, None, "c2"),
        ]

    def test_only_calls_of_mcp_tools_land_and_hidden_ones_without_a_name(self, settings, file):
        write(
            file,
            logs(
                tool_result(1, tool_parameters=None),
                tool_result(2, tool_name="mcp__jira__get__issue", tool_parameters="{half"),
                tool_result(3, tool_name="Bash", tool_parameters='{"bash_command":"ls"}'),
                tool_result(4, success="false", mcp_server__name="custom", tool_parameters=None),
                event("tool_decision", 5, tool_name="mcp_tool", decision="reject", source="user"),
                event("tool_decision", 6, tool_name="mcp_tool", decision="accept", source="config"),
            ),
        )

        assert load(settings, file) == (6, 5, 1, 0)
        assert landed(
            settings,
            "claude_code_otel_tool_events",
            *("event_sequence", "mcp_server_name", "mcp_tool_name", "is_success", "is_denied"),
        ) == [
            (1, None, None, True, False),
            (2, "jira", "get__issue", True, False),
            (4, None, None, False, False),
            (5, None, None, None, True),
        ]
        assert landed(
            settings, "claude_code_otel_audit_events", "event_sequence", "action", "decision_source"
        ) == [(5, "reject", "user"), (6, "accept", "config")]

    def test_events_of_governance_land(self, settings, file):
        write(
            file,
            logs(
                event("auth", 1, action="login", success="true"),
                event("permission_mode_changed", 2, from_mode="default", to_mode="plan"),
                event("mcp_server_connection", 3, status="failed", server_name="tickets"),
                event("plugin_installed", 4, plugin__name="lint"),
                event("user_prompt", 5, prompt="<REDACTED>"),
            ),
        )

        assert load(settings, file) == (5, 4, 1, 0)
        assert landed(
            settings,
            "claude_code_otel_audit_events",
            *("event_sequence", "action", "status", "mode_before", "mode_after"),
            *("mcp_server_name", "plugin_name"),
        ) == [
            (1, "login", "true", None, None, None, None),
            (2, None, None, "default", "plan", None, None),
            (3, None, "failed", None, None, "tickets", None),
            (4, None, None, None, None, None, "lint"),
        ]

    def test_spans_of_requests_and_tools_land_with_the_id_of_the_request(self, settings, file):
        usage = {"input_tokens": 6, "output_tokens": 187, "cache_read_tokens": 9}
        write(
            file,
            traces(
                span("claude_code.interaction"),
                span(
                    "claude_code.llm_request",
                    2,
                    gen_ai__response__id="req_1",
                    gen_ai__request__model="claude-opus-5",
                    **usage,
                ),
                span("claude_code.tool", 3, tool_use_id="toolu_1", tool_name="mcp__jira__get"),
                span("claude_code.tool", 4, tool_use_id="toolu_2", tool_name="Bash"),
                span("claude_code.llm_request", 5, status=2, status_code="429"),
            ),
        )

        assert load(settings, file) == (5, 3, 2, 0)
        assert landed(
            settings,
            "claude_code_otel_requests",
            *("request_id", "model", "input_tokens", "is_error", "status_code", "span_id"),
        ) == [
            ("req_1", "claude-opus-5", 6, False, None, "9a8b7c6d5e4f0002"),
            (None, None, None, True, 429, "9a8b7c6d5e4f0005"),
        ]
        assert landed(
            settings,
            "claude_code_otel_tool_events",
            "tool_use_id",
            "mcp_server_name",
            "is_success",
        ) == [("toolu_1", "jira", True)]

    def test_points_of_metrics_land_with_the_series_they_belong_to(self, settings, file):
        def point(value, minute, **changes):
            values = {"session.id": "s", "user.id": "u", "type": "input", "model": "m", **changes}
            return {
                "startTimeUnixNano": str(AT_NS),
                "timeUnixNano": str(AT_NS + minute * 60 * SECOND),
                "attributes": attributes(values),
                **value,
            }

        def counter(name, temporality, *points):
            return {
                "name": f"claude_code.{name}",
                "unit": "tokens",
                "sum": {
                    "aggregationTemporality": temporality,
                    "isMonotonic": True,
                    "dataPoints": list(points),
                },
            }

        write(
            file,
            metrics(
                counter(
                    "token.usage",
                    2,
                    point({"asInt": "10"}, 1),
                    point({"asDouble": 25}, 2),
                    point({"asDouble": 5}, 2, type="output"),
                    point({"asDouble": "NaN"}, 3),
                ),
                counter("cost.usage", 1, point({"asDouble": 0.055359}, 1)),
                {"name": "claude_code.odd", "summary": {"dataPoints": [{}]}},
                {"name": "http.requests", "gauge": {"dataPoints": [point({"asInt": 1}, 1)]}},
            ),
        )

        assert load(settings, file) == (7, 4, 2, 1)
        assert quarantine(settings) == [(1, "the value is not a number of 0 or more")]
        found = landed(
            settings,
            "claude_code_otel_metrics",
            *("metric_name", "temporality", "metric_type", "metric_value", "bucket_start_at"),
            "series_key",
            order="observed_at, metric_value desc",
        )
        first, second = datetime(2026, 8, 3, 10, 16), datetime(2026, 8, 3, 10, 17)
        assert [row[:-1] for row in found] == [
            ("token.usage", "cumulative", "input", 10, first),
            ("cost.usage", "delta", "input", Decimal("0.055359"), first),
            ("token.usage", "cumulative", "input", 25, second),
            ("token.usage", "cumulative", "output", 5, second),
        ]
        assert found[0][-1] == found[2][-1]
        assert len({row[-1] for row in found}) == 3

    def test_a_person_is_the_email_else_the_account_else_whose_files_they_are(self, settings, file):
        nobody = {"user__email": None, "user__account_id": None}
        write(
            file,
            logs(
                api_request(1),
                api_request(2, user__email=None),
                api_request(3, **nobody),
                api_request(4, **nobody, user__id=None),
            ),
        )
        load(settings, file)
        load(
            settings,
            write(file.with_name("of-omar.json"), logs(api_request(5, **nobody))),
            root={"user": "omar"},
        )

        person = customer_key(settings.home, "local").person
        assert landed(settings, "claude_code_otel_requests", "request_id", "user_id") == [
            ("req_1", person("dana@example.com")),
            ("req_2", person("user_01Wm4T")),
            ("req_3", person("5c2e7a41b09d")),
            ("req_4", None),
            ("req_5", person("omar")),
        ]

    def test_teams_go_by_the_configured_attributes_else_by_the_root(self, settings, file):
        resource = {"service.name": "claude-code-desktop", "cost_center": "c1", "team": "t1"}
        write(file, logs(api_request(1), resource=resource))
        bare = write(
            file.with_name("bare.json"),
            logs(api_request(2), resource={"service.name": "claude-code"}),
        )
        load(settings, file, team_attributes=["cost_center"])
        load(settings, bare, root={"team": "t2"})

        assert landed(settings, "claude_code_otel_requests", "request_id", "team_id") == [
            ("req_1", "c1"),
            ("req_2", "t2"),
        ]

    def test_nothing_that_somebody_wrote_leaves(self, settings, file):
        tool_input = json.dumps({"query": WRITTEN})
        write(
            file,
            logs(
                api_request(1, error=WRITTEN, user__email="dana@example.com", model=WRITTEN[:0]),
                tool_result(2, tool_input=tool_input, error=WRITTEN, error_type=WRITTEN),
                event("user_prompt", 3, prompt=WRITTEN),
                event(WRITTEN, 4),
                event("auth", 5, action=WRITTEN, status=WRITTEN, error_code=WRITTEN),
                api_request(6, input_tokens=WRITTEN, speed=WRITTEN, query_source=WRITTEN),
            ),
            "{" + WRITTEN,
        )
        load(settings, file)

        found = everything(settings)
        assert WRITTEN not in found
        assert "dana" not in found.lower()
        [(fingerprint,)] = landed(settings, "claude_code_otel_tool_events", "input_fingerprint")
        assert fingerprint == tool_hash(
            settings, "mcp__ticketdesk__get_ticket", f'{{"query":"{WRITTEN}"}}'
        )

    def test_prompts_that_the_client_tells_land_as_fingerprints(self, settings, file):
        write(
            file,
            logs(
                event("user_prompt", 1, prompt=f" {WRITTEN.upper()}!", prompt_length=9),
                event("user_prompt", 2, prompt="<REDACTED>", prompt_length=9),
                event("user_prompt", 3, prompt_length=9),
                event("user_prompt", 4, prompt="/review the last change"),
                event("user_prompt", 5, prompt="do it", command_name="review"),
                event("user_prompt", 6, prompt="/data/build is full"),
            ),
        )

        assert load(settings, file) == (6, 2, 4, 0)
        assert landed(
            settings, "claude_code_otel_prompts", "record_path", "session_id", "dedup_hash"
        ) == [
            ("0.0.0", "session-1", prompt_hash(settings, WRITTEN)),
            ("0.0.5", "session-1", prompt_hash(settings, "/data/build is full")),
        ]
        assert landed(settings, "content_fingerprints", "content_kind", "dedup_hash") == sorted(
            ("prompt", prompt_hash(settings, text)) for text in (WRITTEN, "/data/build is full")
        )
        assert WRITTEN.upper() not in everything(settings).upper()

    def test_what_others_sent_is_ignored_and_counted(self, settings, file):
        write(
            file,
            traces(span("chat m", gen_ai__operation__name="chat"), 5, resource=AGENT),
            logs(api_request(1)),
        )

        assert load(settings, file) == (3, 1, 2, 0)


class TestRequests:
    def test_a_half_written_last_line_waits_and_broken_lines_are_set_aside(self, settings, file):
        whole = as_line(logs(api_request(3)))
        write(file, logs(api_request(1)), b'{"resourceLogs":[{', b"", b"5", b'{"other":1}', b"\xff")
        with file.open("ab") as stream:
            stream.write(whole[:-20])
        assert load(settings, file) == (6, 1, 1, 4)
        assert quarantine(settings) == [
            (2, "the line is not valid JSON"),
            (4, "the line is no OTLP export request"),
            (5, "the line is no OTLP export request"),
            (6, "the line is not UTF-8"),
        ]
        with file.open("ab") as stream:
            stream.write(whole[-20:] + b"\n")

        assert load(settings, file) == (1, 1, 0, 0)
        assert (
            load_source(settings, "claude_code_otel", {"roots": [{"path": file}]}).load_id is None
        )
        assert len(quarantine(settings)) == 4

    def test_lists_that_are_none_are_not_lost(self, settings, file):
        broken: tuple[Any, ...] = (
            {"resourceLogs": 5},
            {"resourceLogs": [{"scopeLogs": {}}]},
            {"resourceLogs": [{"scopeLogs": [{"logRecords": "x"}]}]},
            {"resourceLogs": [7]},
        )
        write(file, *broken, logs(api_request(1)))

        assert load(settings, file) == (5, 1, 0, 4)
        assert [line for line, _ in quarantine(settings)] == [1, 2, 3, 4]

    def test_an_empty_request_is_nothing(self, settings, file):
        write(file, {"resourceLogs": []}, logs(), logs(api_request(1)))

        assert load(settings, file) == (1, 1, 0, 0)

    def test_fields_in_another_order_and_unknown_ones_change_nothing(self, settings, file):
        request = {"future": [1, {"a": None}], "schemaUrl": "x", **logs(api_request(1) | {"x": 1})}
        write(file, request)

        assert load(settings, file) == (1, 1, 0, 0)

    def test_signals_are_told_apart_line_by_line(self, settings, file):
        tokens = {"input_tokens": 1, "output_tokens": 1}
        write(
            file,
            logs(api_request(1)),
            traces(span("claude_code.llm_request", gen_ai__response__id="req_2", **tokens)),
            metrics(),
            logs(api_request(3)),
        )

        assert load(settings, file) == (3, 3, 0, 0)

    def test_a_document_over_several_lines_and_a_folder_load(self, settings, file):
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(logs(api_request(1), api_request(2)), indent=2))
        write(file.parent / "older" / "telemetry-2026.jsonl", logs(api_request(3)))
        write(file.parent / "notes.txt", "not telemetry")

        assert load(settings, file.parent) == (3, 3, 0, 0)

    def test_no_files_says_where_it_looked(self, settings, tmp_path):
        with pytest.raises(MindweaveError, match=f"no OTLP files found in {tmp_path}"):
            load(settings, tmp_path)
        with pytest.raises(MindweaveError, match="sources.claude_code_otel.roots names none"):
            load(settings)

    @pytest.mark.skipif(not REAL.is_dir(), reason="the files of ../shared are not here")
    @pytest.mark.parametrize("source", ["claude_code_otel", "otel_genai"])
    def test_the_examples_of_the_standard_load(self, settings, source):
        examples = sorted(REAL.glob("otlp_*.json"))

        assert len(examples) == 2
        assert load(settings, *examples, source=source) == (2, 0, 2, 0)


SONNET = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-6",
    "gen_ai.response.model": "claude-sonnet-4-6",
    "gen_ai.response.id": "msg_1",
    "gen_ai.usage.input_tokens": 45000,
    "gen_ai.usage.cache_read.input_tokens": 40000,
    "gen_ai.usage.cache_creation.input_tokens": 3000,
    "gen_ai.usage.output_tokens": 1000,
}
USAGE = (
    "response_id",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)


class TestGenai:
    def test_a_model_span_lands_with_every_field_we_need(self, settings, file):
        secret = {"gen_ai.output.messages": WRITTEN, "user.email": "dana@example.com"}
        write(file, traces(span("chat", **SONNET, **secret), resource=AGENT))

        assert load(settings, file, source="otel_genai") == (1, 1, 0, 0)
        assert landed_one(settings, "otel_genai_model_spans") == {
            "trace_id": "6f2b8c1d4e5a79380b1c2d3e4f5a6b7c",
            "span_id": "9a8b7c6d5e4f0001",
            "span_kind": "client",
            "operation": "chat",
            "provider": "anthropic",
            "service_name": "support-agent",
            "user_id": customer_key(settings.home, "local").person("dana@example.com"),
            "team_id": "support",
            "is_error": False,
            "started_at": datetime(2026, 8, 3, 10, 15, 4, 640000),
            "ended_at": datetime(2026, 8, 3, 10, 15, 5, 640000),
            "response_id": "msg_1",
            "request_model": "claude-sonnet-4-6",
            "response_model": "claude-sonnet-4-6",
            "input_tokens": 45000,
            "cache_read_tokens": 40000,
            "cache_write_tokens": 3000,
            "output_tokens": 1000,
        }
        assert WRITTEN not in everything(settings)

    def test_three_generations_of_names_are_one(self, settings, file):
        oldest = {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.response.id": "msg_0",
            "gen_ai.usage.prompt_tokens": 45000,
            "gen_ai.usage.completion_tokens": 1000,
        }
        platform = SONNET | {
            "gen_ai.response.id": "msg_2",
            "gen_ai.usage.cache_write.input_tokens": 3000,
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 1000,
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 2000,
            "anthropic.request.id": "req_2",
            "anthropic.workspace.id": "wrkspc_1",
        }
        del platform["gen_ai.usage.cache_creation.input_tokens"]
        resource = {"service.name": "claude-platform"}
        write(
            file,
            traces(span("chat", 1, **oldest), span("chat", 2, **SONNET), resource=AGENT),
            traces(
                span("anthropic.messages.create", 3, kind=2, **platform),
                resource=resource,
                scope="com.anthropic.claude-platform",
            ),
        )

        assert load(settings, file, source="otel_genai") == (3, 3, 0, 0)
        assert landed(settings, "otel_genai_model_spans", *USAGE) == [
            ("msg_0", 45000, None, None, None, 1000),
            ("msg_1", 45000, 40000, 3000, None, 1000),
            ("msg_2", 45000, 40000, 3000, 2000, 1000),
        ]

    def test_spans_of_agents_repeat_their_children_and_are_no_calls(self, settings, file):
        agent = SONNET | {"gen_ai.operation.name": "invoke_agent"}
        write(
            file,
            traces(
                span("invoke_agent", 1, **agent),
                span("chat", 2, **SONNET),
                span("GET /", 3),
                resource=AGENT,
            ),
        )

        assert load(settings, file, source="otel_genai") == (3, 1, 2, 0)

    def test_claude_code_is_left_to_its_own_source(self, settings, file):
        write(
            file,
            traces(span("chat", 1, **SONNET), resource=CLAUDE_CODE),
            traces(span("chat", 2, **SONNET), resource=AGENT),
            logs(api_request(3)),
        )

        assert load(settings, file, source="otel_genai") == (3, 1, 2, 0)

    def test_a_span_without_tokens_or_with_wrong_ones_is_quarantined_alone(self, settings, file):
        wrong = SONNET | {"gen_ai.usage.input_tokens": "many"}
        none = {"gen_ai.operation.name": "chat", "gen_ai.response.id": "msg_3"}
        failed = none | {"error.type": "rate_limit_error", "gen_ai.response.id": "msg_4"}
        write(
            file,
            traces(
                span("chat", 1, **SONNET),
                span("chat", 2, **wrong),
                span("chat", 3, **none),
                span("chat", 4, **failed),
                resource=AGENT,
            ),
        )

        assert load(settings, file, source="otel_genai") == (4, 2, 0, 2)
        assert quarantine(settings) == [
            (1, "a token count is not a whole number"),
            (1, "the call has no input_tokens and no output_tokens"),
        ]

    def test_tool_calls_and_other_requests_of_mcp_land(self, settings, file):
        call = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "get_ticket"}
        arguments = {"gen_ai.tool.call.arguments": json.dumps({"query": WRITTEN})}
        execution = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "add"}
        write(
            file,
            traces(
                span("tools/call get_ticket", 1, **call, **{"server.address": "desk.example"}),
                span("tools/call get_ticket", 2, kind=2, **call, **arguments),
                span("execute_tool add", 3, kind=1, **execution),
                span("tools/list", 4, **{"mcp.method.name": "tools/list"}),
                resource=AGENT | {"mcp.server.name": "ticketdesk"},
            ),
        )

        assert load(settings, file, source="otel_genai") == (4, 4, 0, 0)
        assert landed(
            settings,
            "otel_genai_tool_spans",
            *("span_id", "span_role", "tool_name", "server_name", "server_address"),
            "length(input_fingerprint)",
        ) == [
            ("9a8b7c6d5e4f0001", "client", "get_ticket", "ticketdesk", "desk.example", None),
            ("9a8b7c6d5e4f0002", "server", "get_ticket", "ticketdesk", None, 64),
            ("9a8b7c6d5e4f0003", "execution", "add", "ticketdesk", None, None),
        ]
        [(fingerprint,)] = landed(
            settings, "otel_genai_tool_spans", "max(input_fingerprint) as input_fingerprint"
        )
        assert fingerprint == tool_hash(
            settings, "mcp__ticketdesk__get_ticket", f'{{ "query" : "{WRITTEN}" }}'
        )
        assert landed(settings, "otel_genai_mcp_requests", "mcp_method") == [("tools/list",)]
        assert WRITTEN not in everything(settings)

    @pytest.mark.parametrize(
        "attributes",
        [
            {"gen_ai.input.messages": [{"role": "user", "parts": [{"content": WRITTEN}]}]},
            {
                "gen_ai.input.messages": [
                    {"role": "user", "parts": [{"type": "text", "content": "before"}]},
                    {"role": "assistant", "parts": [{"type": "text", "content": "yes"}]},
                    {"role": "user", "parts": [{"type": "text", "content": WRITTEN}]},
                    {"role": "tool", "parts": [{"type": "tool_call_response", "result": "x"}]},
                ]
            },
            {
                "gen_ai.prompt": [
                    {"role": "user", "content": [{"type": "text", "text": WRITTEN}]},
                    {"role": "user", "content": [{"type": "tool_result", "content": "x"}]},
                ]
            },
            {"gen_ai.prompt": WRITTEN},
            {
                "gen_ai.prompt.0.role": "system",
                "gen_ai.prompt.0.content": "be kind",
                "gen_ai.prompt.9.role": "user",
                "gen_ai.prompt.9.content": "before",
                "gen_ai.prompt.10.role": "user",
                "gen_ai.prompt.10.content": [{"type": "text", "text": WRITTEN}],
                "gen_ai.prompt.11.role": "assistant",
                "gen_ai.prompt.11.content": "yes",
            },
        ],
    )
    def test_what_a_model_was_asked_lands_as_a_fingerprint(self, settings, file, attributes):
        told = {
            name: text if isinstance(text, str) else json.dumps(text)
            for name, text in attributes.items()
        }
        write(file, traces(span("chat", **SONNET, **told), resource=AGENT))
        load(settings, file, source="otel_genai")

        wanted = [(prompt_hash(settings, WRITTEN),)]
        assert landed(settings, "otel_genai_model_spans", "dedup_hash") == wanted
        assert landed(settings, "content_fingerprints", "dedup_hash") == wanted
        assert WRITTEN not in everything(settings)

    def test_executions_that_name_no_server_may_be_left_out(self, settings, file):
        execution = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "add"}
        named = execution | {"gen_ai.tool.name": "mcp__jira__get"}
        write(file, traces(span("a", 1, **execution), span("b", 2, **named), resource=AGENT))

        counts = load(settings, file, source="otel_genai", counts_unnamed_tools=False)

        assert counts == (2, 1, 1, 0)


def test_requests_that_no_file_holds_become_rows_too(tmp_path):
    """What is pushed goes the same way: a table of texts."""
    import pyarrow as pa

    from dlt_pipelines import otlp

    connection = duckdb.connect()
    for macro in otlp.MACROS:
        connection.execute(macro)
    texts = [as_line(logs(api_request(1), api_request(2))).decode()]
    lines = pa.table({"file_index": [0], "line_number": [1], "line": texts}).cast(LINES_SCHEMA)
    signals, rest = otlp.by_signal(lines, connection)
    connection.register("pushed", signals["logs"])
    wanted = otlp.Attributes(record={"tokens": ("input_tokens",)}, either={"team": ("team.id",)})
    query = otlp.records_sql("logs", wanted, "service_name = 'claude-code'", "pushed")

    found = connection.execute(f"with {query} select record_path, tokens, team from records")

    assert found.fetchall() == [("0.0.0", "6", "payments"), ("0.0.1", "6", "payments")]
    assert rest.num_rows == 0
