"""Calls that several sources tell, from their real formats to the exact cost.

Telemetry is pushed, and drained from the store: files of it have tests of their own.
"""

from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest

from dlt_pipelines.config import PROJECT_DIR
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.drain import drain
from dlt_pipelines.load import load_source, make_missing_tables
from tests.dbt_process import dbt_process
from tests.pushed import push
from tests.transcripts import answer, command_environment, home_settings, write
from tests.vendors.litellm import KEY, Gateway

NOW = datetime(2026, 8, 4)
AT = "2026-08-03T10:15:00.000Z"
NANOSECONDS = 1_785_752_100_000_000_000
SOURCES = ("claude_code", "claude_code_otel", "gateway")
# every way that one, two or all three of the sources saw a call
SEEN_BY = [seen for count in (1, 2, 3) for seen in combinations(SOURCES, count)]
OPUS = "claude-opus-4-8"
SONNET = "claude-sonnet-4-6"
BUILD = ("build", "--exclude-resource-type", "unit_test")


def name_of(seen):
    return "_".join(seen)


def transcript(name):
    usage = {
        "input_tokens": 250,
        "cache_creation_input_tokens": 3000,
        "cache_creation": {"ephemeral_5m_input_tokens": 3000, "ephemeral_1h_input_tokens": 0},
        "cache_read_input_tokens": 80_000,
        "output_tokens": 700,
        "server_tool_use": {"web_search_requests": 0},
    }
    record = answer(name, usage=usage, timestamp=AT)
    record["message"]["model"] = OPUS
    return record


def attributes(**values: Any) -> list[dict[str, Any]]:
    def value(given):
        if isinstance(given, int):
            return {"intValue": str(given)}
        return {"doubleValue": given} if isinstance(given, float) else {"stringValue": given}

    return [{"key": key.replace("__", "."), "value": value(v)} for key, v in values.items()]


def api_request(name):
    return {
        "timeUnixNano": str(NANOSECONDS),
        "body": {"stringValue": "claude_code.api_request"},
        "attributes": attributes(
            event__name="api_request",
            session__id="session-1",
            user__email="dana@example.com",
            model=OPUS,
            cost_usd=0.0776,
            cost_usd_micros=77_600,
            duration_ms=2841,
            input_tokens=250,
            output_tokens=700,
            cache_read_tokens=80_000,
            cache_creation_tokens=3000,
            request_id=f"req_{name}",
            speed="normal",
        ),
    }


def telemetry(*records):
    resource = {"attributes": attributes(service__name="claude-code", team__id="payments")}
    scope = {"name": "com.anthropic.claude_code.events", "version": "2.1.240"}
    logs = [{"scope": scope, "logRecords": list(records)}]
    return {"resourceLogs": [{"resource": resource, "scopeLogs": logs}]}


def spend_log(name):
    usage = {
        "prompt_tokens": 83_250,
        "completion_tokens": 700,
        "cache_read_input_tokens": 80_000,
        "cache_creation_input_tokens": 3000,
    }
    return {
        "request_id": f"msg_{name}",
        "call_type": "anthropic_messages",
        "api_key": "88dc28d0",
        "spend": Decimal("0.0775"),
        "prompt_tokens": 83_250,
        "completion_tokens": 700,
        "total_tokens": 83_950,
        "startTime": AT,
        "endTime": "2026-08-03T10:15:02.850Z",
        "request_duration_ms": 2850,
        "model": OPUS,
        "custom_llm_provider": "anthropic",
        "status": "success",
        "metadata": {"usage_object": usage},
    }


def span(trace):
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{trace:016x}",
        "name": f"chat {SONNET}",
        "kind": 3,
        "startTimeUnixNano": str(NANOSECONDS),
        "endTimeUnixNano": str(NANOSECONDS + 10**9),
        "attributes": attributes(
            gen_ai__operation__name="chat",
            gen_ai__provider__name="anthropic",
            gen_ai__response__model=SONNET,
            gen_ai__usage__input_tokens=45_000,
            gen_ai__usage__cache_read__input_tokens=40_000,
            gen_ai__usage__cache_creation__input_tokens=3000,
            gen_ai__usage__output_tokens=1000,
        ),
    }


def spans(*records):
    resource = {"attributes": attributes(service__name="support-agent", team__id="support")}
    scopes = [{"scope": {"name": "example"}, "spans": list(records)}]
    return {"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}


GATEWAY_LOG = {
    "name": "gateway",
    "kind": "calls",
    "columns": {
        "vendor": {"constant": "anthropic"},
        "requested_model": {"constant": OPUS},
        "observed_at": "time",
        "request_id": "request",
        "input_tokens": {"constant": 250},
        "cache_write_5m_tokens": {"constant": 3000},
        "cache_read_tokens": {"constant": 80_000},
        "output_tokens": {"constant": 700},
    },
}

BATCH = {
    "kind": "calls",
    "team": "batch",
    "columns": {
        "vendor": {"constant": "anthropic"},
        "requested_model": {"constant": SONNET},
        "service_tier": {"constant": "batch"},
        "observed_at": "time",
        "status": "status",
        "input_tokens": "in",
        "output_tokens": "out",
    },
}


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
    return home_settings(tmp_path / "home")


class Company:
    """What each source has to tell, and what was built of it."""

    def __init__(self, settings, folder):
        self.settings = settings
        self.folder = folder

    def load(self, source, **configuration):
        load_source(self.settings, source, configuration, now=NOW)

    def load_transcripts(self, names):
        write(self.folder / f"{names[0]}.jsonl", *[transcript(name) for name in names])
        roots = [{"path": str(self.folder), "user": "dana", "team": "payments"}]
        self.load("claude_code", roots=roots)

    def load_telemetry(self, names):
        push(self.settings, logs=telemetry(*[api_request(name) for name in names]))
        assert not drain(self.settings, now=NOW).failures

    def load_litellm(self, name):
        gateway = Gateway([spend_log(name)])
        with gateway.running():
            start = "2026-08-01T00:00:00"
            self.load("litellm", base_url=gateway.base_url, api_key=KEY, start_date=start)

    def load_spans(self):
        folder = self.folder.with_name("spans")
        write(folder / "spans.jsonl", spans(span(1)))
        self.load("otel_genai", roots=[{"path": str(folder)}])

    def load_files(self, names):
        log = self.folder.with_name("gateway.csv")
        log.write_text("time,request\n" + "".join(f"{AT},req_{n}\n" for n in names), "utf-8")
        lines = [("success", 2000, 500)] * 90 + [("error", 0, 0)] * 6 + [("incomplete", 0, 0)] * 4
        batch = self.folder.with_name("batch.csv")
        text = "".join(f"{AT},{status},{used},{made}\n" for status, used, made in lines)
        batch.write_text("time,status,in,out\n" + text, "utf-8")
        files = [{**GATEWAY_LOG, "path": str(log)}, {**BATCH, "path": str(batch)}]
        self.load("csv", files=files)

    def ask(self, sql):
        marts = self.settings.marts_schema
        return warehouse_at(self.settings.warehouse_url).query(sql.format(marts=marts)).to_pylist()

    def calls(self):
        found = self.ask(
            "select call_id, source_count, team_id, total_cost_usd, reported_cost_usd, "
            "latency_ms, speed from {marts}.mcp_calls where vendor = 'anthropic' "
            f"and model_id = '{OPUS}'"
        )
        return {row.pop("call_id"): row for row in found}


def test_the_worked_cases_of_several_sources_are_exact(settings, tmp_path):
    company = Company(settings, tmp_path / "transcripts")
    names = {source: [name_of(s) for s in SEEN_BY if source in s] for source in SOURCES}
    company.load_telemetry(names["claude_code_otel"])
    company.load_spans()
    make_missing_tables(settings)
    environment = command_environment(
        settings.home,
        MINDWEAVE_CUSTOMER="local",
        DO_NOT_TRACK="1",
        **warehouse_at(settings.warehouse_url).dbt_environment(),
    )
    with dbt_process(PROJECT_DIR, settings.home / "dbt", environment) as dbt:
        dbt.run(*BUILD)
        # what only telemetry told so far is of requests
        assert set(company.calls()) == {f"anthropic/req_{n}" for n in names["claude_code_otel"]}

        company.load_transcripts([*names["claude_code"], "bylitellm"])
        company.load_litellm("bylitellm")
        company.load_files(names["gateway"])
        dbt.run(*BUILD)

    calls = company.calls()
    # a request leads to its message where a transcript names both
    assert set(calls) == {"anthropic/msg_bylitellm"} | {
        f"anthropic/{'msg' if 'claude_code' in seen else 'req'}_{name_of(seen)}" for seen in SEEN_BY
    }
    assert {call["total_cost_usd"] for call in calls.values()} == {Decimal("0.0775")}
    everybody = f"anthropic/msg_{name_of(SOURCES)}"
    assert calls[everybody] == {
        "source_count": 3,
        "team_id": "payments",
        "total_cost_usd": Decimal("0.0775"),
        "reported_cost_usd": Decimal("0.0776"),
        "latency_ms": 2841,
        "speed": "standard",
    }
    by_litellm = calls["anthropic/msg_bylitellm"]
    assert (by_litellm["source_count"], by_litellm["latency_ms"]) == (2, 2850)
    assert by_litellm["reported_cost_usd"] == Decimal("0.0775")
    told = company.ask(
        "select source, reported_cost_usd, cost_difference_usd from {marts}.call_sources "
        f"where call_id = '{everybody}' order by source"
    )
    assert [tuple(row.values()) for row in told] == [
        ("claude_code", None, None),
        ("claude_code_otel", Decimal("0.0776"), Decimal("0.0001")),
        ("gateway", None, None),
    ]
    by_team = company.ask(
        "select team_id, total_calls, total_cost_usd from {marts}.cost_by_team "
        f"where model_id = '{SONNET}' order by team_id"
    )
    assert [tuple(row.values()) for row in by_team] == [
        ("batch", 100, Decimal("0.6075")),
        ("support", 1, Decimal("0.04425")),
    ]
    totals = company.ask("select sum(total_cost_usd) as usd from {marts}.cost_by_team_daily")
    assert totals[0]["usd"] == len(calls) * Decimal("0.0775") + Decimal("0.65175")
