"""The demo customer through the real command: what a newcomer sees is what the workload meant."""

import datetime as dt
import json
import shutil
import subprocess
import sys
from decimal import Decimal

import pytest

from dlt_pipelines.demo import agent, anthropic, company, documents, gateway, workload
from tests.transcripts import (
    MINDWEAVE,
    REPOSITORY,
    WITH_DATA_TESTS,
    assert_one_line,
    command_environment,
    home_settings,
    mindweave_process,
    rows,
    succeeds,
)

UNTIL = dt.datetime.now(dt.UTC).date()
LATE = UNTIL - dt.timedelta(days=1)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo") / "mindweave"
    workload.write(home / "demo", UNTIL)
    succeeds(load(home))
    # it fails where too much is unexplained
    succeeds(mindweave_process(home, "build", "--customer", "demo", **WITH_DATA_TESTS))
    return home


def load(home, *arguments):
    """Load as `make demo` does: while the vendors answer."""
    command = (MINDWEAVE, "load", "--customer", "demo", *arguments)
    return subprocess.run(
        [sys.executable, "-m", "dlt_pipelines.demo.vendors", home / "demo", *command],
        env=command_environment(home),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def demo(home):
    return home_settings(home, "demo")


def test_a_call_that_transcripts_and_telemetry_tell_is_one(demo):
    by_team = dict(
        rows(
            demo,
            """
            select team_id, map_from_entries(list((sources, calls)))
            from (
                select team_id, sources, count(*) as calls
                from {marts}.mcp_calls
                inner join (
                    select call_id, string_agg(source, '+' order by source) as sources
                    from {marts}.call_sources
                    group by call_id
                ) using (call_id)
                where source_count = 1 + length(sources) - length(replace(sources, '+', ''))
                group by team_id, sources
            )
            group by team_id
            """,
        )
    )
    both = "claude_code+claude_code_otel"
    only_telemetry = by_team["search"].pop("claude_code_otel")
    assert by_team["search"].pop("otel_genai") == len(list(agent.calls(1, UNTIL)))
    assert {team: list(told) for team, told in by_team.items()} == {
        **dict.fromkeys(("payments", "search", "platform", "mobile"), [both]),
        "data": ["claude_code"],
        "growth": ["litellm"],
        "operations": ["csv"],
    }
    assert by_team.pop("growth")["litellm"] == len(list(gateway.calls(1, UNTIL)))
    assert by_team.pop("operations")["csv"] == len(list(documents.calls(1, UNTIL)))
    calls = sum(sum(told.values()) for told in by_team.values())
    sessions = list(workload.sessions(1, UNTIL))
    assert calls == sum(len(session.calls) for session in sessions)
    elsewhere = list(workload.sessions_elsewhere(1, UNTIL))
    assert only_telemetry == sum(len(session.calls) for session in elsewhere)


def test_what_telemetry_saw_has_a_latency_and_a_person_is_one(demo):
    [[told, with_latency, people]] = rows(
        demo,
        """
        select
            count(*) filter (team_id != 'data'), count(latency_ms), count(distinct user_id)
        from {marts}.mcp_calls
        """,
    )
    assert told == with_latency > 5000
    assert people == len(workload.PEOPLE) + len(gateway.PEOPLE)


def test_the_reconciliation_says_of_every_row_what_the_workload_meant(demo):
    found = rows(
        demo,
        """
        select usage_date, workspace_id, model_id, token_type, status, reason, token_difference
        from {marts}.cost_reconciliation
        """,
    )
    reasons = set()
    for day, workspace, model, kind, status, reason, missing_tokens in found:
        meant = None
        if model in gateway.MODELS:
            # a gateway knows teams, and OpenAI projects
            meant = "workspace_not_told"
        elif day >= LATE and missing_tokens:
            meant = "late_data"
        elif kind == "none":
            meant = "code_execution_not_in_usage"
        elif workspace == anthropic.SUPPORT_WORKSPACE:
            meant = "source_blind_spot"
        elif model == workload.MODEL_WITHOUT_A_PRICE:
            meant = "unpriced_model"
        assert (reason, status) == (meant, "explained" if meant else "matched"), (day, model, kind)
        reasons.add(reason)
    assert len(reasons) == 6
    matched = [row for row in found if row[4] == "matched"]
    assert len(matched) > 0.5 * len(found)


def test_the_ladder_ends_at_the_bill(home, demo):
    invoiced: dict[tuple[str, str], Decimal] = {}
    for row in json.loads((home / "demo" / "api" / "anthropic" / "cost.json").read_text()):
        month = ("anthropic", row["starting_at"][:7])
        invoiced[month] = invoiced.get(month, Decimal()) + Decimal(row["cost"]["amount"]) / 100
    for bucket in json.loads((home / "demo" / "api" / "openai" / "costs.json").read_text()):
        for line in bucket["results"]:
            month = ("openai", f"{dt.datetime.fromtimestamp(bucket['start_time'], dt.UTC):%Y-%m}")
            invoiced[month] = invoiced.get(month, Decimal()) + Decimal(line["amount"]["value"])
    ladder = rows(
        demo,
        """
        select vendor, strftime(period, '%Y-%m'), step, amount_usd, running_total_usd
        from {marts}.invoice_ladder
        """,
    )
    ends = {
        (vendor, month): total for vendor, month, step, _, total in ladder if step == "invoiced"
    }
    assert ends == invoiced
    used = {step for _, _, step, usd, _ in ladder if usd}
    assert used == {"computed", "not_captured", "not_in_report"} | {
        *("not_priced", "not_itemised", "discount")
    }


def test_the_capture_rate_is_whole_but_of_the_workspace_that_no_source_sees(demo):
    captured = rows(
        demo,
        f"""
        select workspace_id, captured_tokens_ratio, captured_calls_ratio, count(*)
        from {{marts}}.capture_rate
        where period_type = 'day' and period < '{LATE}'
        group by all
        """,
    )
    days = company.DAYS - 2
    assert sorted(captured, key=str) == [
        (documents.PROJECT, 1, 1, days),
        # what the gateway saw, of whichever project
        (gateway.PROJECT, 0, 0, days),
        ("unknown", 1, 1, days),
        ("unknown", None, None, days),
        (agent.WORKSPACE, 1, 1, days),
        (anthropic.SUPPORT_WORKSPACE, 0, 0, days),
    ]


def test_a_bill_that_nothing_explains_fails_the_build(home, tmp_path):
    other = tmp_path / "home"
    shutil.copytree(home, other)
    bill = other / "demo" / "api" / "anthropic" / "cost.json"
    lines = json.loads(bill.read_text("utf-8"))
    assert lines[0]["group"]["workspace_id"] != anthropic.SUPPORT_WORKSPACE
    lines[0]["cost"] |= {"list_amount": "100000", "amount": "95000"}
    bill.write_text(json.dumps(lines), "utf-8")
    succeeds(load(other, "--source", "anthropic_admin"))

    failed = mindweave_process(other, "build", "--customer", "demo", **WITH_DATA_TESTS)

    assert failed.returncode == 1
    assert_one_line(failed.stderr)
    assert "assert_unexplained_cost_is_within_the_limit" in failed.stderr


def test_a_second_load_finds_nothing_new(home, demo):
    loads = "select count(*) from {raw}.loads"
    before = rows(demo, loads)
    workload.write(home / "demo", UNTIL)

    printed = succeeds(load(home))

    assert {line.split(": ")[1] for line in printed.splitlines()} == {"nothing new"}
    assert rows(demo, loads) == before


def test_without_the_vendors_the_demo_is_what_its_files_say(home, demo):
    printed = succeeds(mindweave_process(home, "load", "--customer", "demo"))

    names = {line.split(":")[0] for line in printed.splitlines()}
    assert "claude_code" in names
    assert not names & {"anthropic_admin", "openai_admin", "litellm"}
