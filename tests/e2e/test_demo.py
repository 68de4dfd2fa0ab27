"""The demo customer through the real command: what a newcomer sees is what the workload meant."""

import csv
import datetime as dt
import shutil
from decimal import Decimal

import pytest

from dlt_pipelines import demo_bill, demo_workload
from tests.transcripts import (
    WITH_DATA_TESTS,
    assert_one_line,
    home_settings,
    mindweave_process,
    rows,
    succeeds,
)

UNTIL = dt.date(2026, 11, 22)
LATE = UNTIL - dt.timedelta(days=1)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo") / "mindweave"
    demo_workload.write(home / "demo", UNTIL)
    succeeds(mindweave_process(home, "load", "--customer", "demo"))
    # it fails where too much is unexplained
    succeeds(mindweave_process(home, "build", "--customer", "demo", **WITH_DATA_TESTS))
    return home


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
    assert {team: list(told) for team, told in by_team.items()} == {
        **dict.fromkeys(("payments", "search", "platform", "mobile"), [both]),
        "data": ["claude_code"],
    }
    calls = sum(sum(told.values()) for told in by_team.values())
    sessions = list(demo_workload.sessions(1, UNTIL))
    assert calls == sum(len(session.calls) for session in sessions)
    elsewhere = list(demo_workload.sessions_elsewhere(1, UNTIL))
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
    assert people == len(demo_workload.PEOPLE)


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
        if day >= LATE and missing_tokens:
            meant = "late_data"
        elif kind == "none":
            meant = "code_execution_not_in_usage"
        elif workspace == demo_bill.SUPPORT_WORKSPACE:
            meant = "source_blind_spot"
        elif model == demo_workload.MODEL_WITHOUT_A_PRICE:
            meant = "unpriced_model"
        assert (reason, status) == (meant, "explained" if meant else "matched"), (day, model, kind)
        reasons.add(reason)
    assert len(reasons) == 5
    matched = [row for row in found if row[4] == "matched"]
    assert len(matched) > 0.8 * len(found)


def test_the_ladder_ends_at_the_bill(home, demo):
    with (home / "demo" / "bill" / "costs.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    invoiced: dict[str, Decimal] = {}
    for line in lines:
        month = line["date"][:7]
        invoiced[month] = invoiced.get(month, Decimal()) + Decimal(line["net_usd"])
    ladder = rows(
        demo,
        """
        select strftime(period, '%Y-%m'), step, amount_usd, running_total_usd
        from {marts}.invoice_ladder
        """,
    )
    assert {month: total for month, step, _, total in ladder if step == "invoiced"} == invoiced
    used = {step for _, step, usd, _ in ladder if usd}
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
    days = demo_workload.DAYS - 2
    assert sorted(captured) == [("unknown", 1, 1, days), (demo_bill.SUPPORT_WORKSPACE, 0, 0, days)]


def test_a_bill_that_nothing_explains_fails_the_build(home, tmp_path):
    other = tmp_path / "home"
    shutil.copytree(home, other)
    bill = other / "demo" / "bill" / "costs.csv"
    head, line, *lines = bill.read_text("utf-8").splitlines()
    columns = dict(zip(head.split(","), line.split(","), strict=True))
    assert columns["workspace"] != demo_bill.SUPPORT_WORKSPACE
    columns |= {"list_usd": "1000", "net_usd": "950"}
    bill.write_text("\n".join([head, ",".join(columns.values()), *lines, ""]), "utf-8")
    succeeds(mindweave_process(other, "load", "--customer", "demo", "--source", "csv"))

    failed = mindweave_process(other, "build", "--customer", "demo", **WITH_DATA_TESTS)

    assert failed.returncode == 1
    assert_one_line(failed.stderr)
    assert "assert_unexplained_cost_is_within_the_limit" in failed.stderr


def test_a_second_load_finds_nothing_new(home, demo):
    demo_workload.write(home / "demo", UNTIL)
    succeeds(mindweave_process(home, "load", "--customer", "demo"))

    assert rows(demo, "select count(distinct load_id) from {raw}.call_events") == [(0,)]
    assert rows(demo, "select count(*) from {raw}.usage_bucket_events") == rows(
        demo, "select count(*) from {marts}.usage_buckets"
    )
    assert rows(demo, "select count(*) from {raw}.cost_events") == rows(
        demo, "select count(*) from {marts}.invoiced_costs"
    )
    assert rows(demo, "select count(distinct load_id) from {raw}.claude_code_otel_requests") == [
        (1,)
    ]
