import csv
import dataclasses
import datetime as dt
import json
import socket
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dlt_pipelines.demo import anthropic, company, telemetry, vendors
from dlt_pipelines.demo import workload as demo_workload
from dlt_pipelines.demo.company import KINDS

PROJECT = Path(__file__).parents[2]
UNTIL = dt.date(2026, 11, 22)
LATE = UNTIL - dt.timedelta(days=1)
REPORTED = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


@pytest.fixture(scope="module")
def workload(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    demo_workload.write(out, UNTIL)
    return out


def contents(out):
    files = (path for path in out.rglob("*") if path.suffix in (".jsonl", ".json", ".csv"))
    return {path.relative_to(out): path.read_bytes() for path in files}


def records(out, of="*"):
    for path in out.glob(f"{of}/*/projects/**/*.jsonl"):
        for line in path.read_text().split("\n")[:-1]:
            if line not in demo_workload.BROKEN_LINES:
                yield json.loads(line)


def answers(out, until=None, of="*"):
    """The largest usage of each answer, by message id."""
    found: dict[str, dict[str, int]] = {}
    for record in records(out, of):
        if record["type"] == "assistant" and "requestId" in record:
            message = record["message"]
            if until is None or record["timestamp"][:10] <= until.isoformat():
                known = found.get(message["id"])
                if not known or message["usage"]["output_tokens"] > known["output_tokens"]:
                    found[message["id"]] = message["usage"]
    return found


def answered(out, of="*"):
    """The first line of each answer, by message id: of a copy, that of the original."""
    found: dict[str, dict[str, Any]] = {}
    for record in records(out, of):
        if record["type"] == "assistant" and "requestId" in record:
            known = found.setdefault(record["message"]["id"], record)
            if (record["timestamp"], record["isSidechain"]) < (
                known["timestamp"],
                known["isSidechain"],
            ):
                found[record["message"]["id"]] = record
    return found


def events(out):
    """The name and attributes of each event of the telemetry, and the team."""
    for path in sorted(out.glob("telemetry/*.json")):
        for line in path.read_text().split("\n")[:-1]:
            [logs] = json.loads(line)["resourceLogs"]
            team = values(logs["resource"]["attributes"])["team.id"]
            [scope] = logs["scopeLogs"]
            for record in scope["logRecords"]:
                yield values(record["attributes"]) | {"team": team, "day": path.stem}


def values(attributes):
    found = {}
    for attribute in attributes:
        [(kind, value)] = attribute["value"].items()
        found[attribute["key"]] = int(value) if kind == "intValue" else value
    return found


def reported(out):
    """The requests of the telemetry by id: each is there once."""
    requests = [event for event in events(out) if event["event.name"] == "api_request"]
    by_id = {event["request_id"]: event for event in requests}
    assert len(by_id) == len(requests)
    return by_id


def api_list(out, vendor, name):
    """What a vendor has, as it answers it."""
    text = (out / "api" / vendor / f"{name}.json").read_text()
    return json.loads(text, parse_float=Decimal)


def told_usage(usage):
    """A sum of usage by kind of token, of requests and of searches."""
    tokens = tokens_of(usage | {"input_tokens": usage["uncached_input_tokens"]})
    searches = usage["server_tool_use"]["web_search_requests"]
    return tokens | {"requests": usage["requests"], "web_searches": searches}


def tokens_of(usage):
    """A usage block by kind of token."""
    written = usage["cache_creation"]
    return {
        "input": usage["input_tokens"],
        "cache_write_5m": written["ephemeral_5m_input_tokens"],
        "cache_write_1h": written["ephemeral_1h_input_tokens"],
        "cache_read": usage["cache_read_input_tokens"],
        "output": usage["output_tokens"],
    }


def test_the_same_seed_writes_the_same_bytes(workload, tmp_path):
    demo_workload.write(tmp_path, UNTIL)
    assert contents(tmp_path) == contents(workload)


def test_another_seed_writes_other_calls(workload, tmp_path):
    demo_workload.write(tmp_path, UNTIL, seed=2)
    assert not answers(tmp_path).keys() & answers(workload).keys()


def test_a_second_run_on_the_same_day_touches_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(company, "DAYS", 12)
    demo_workload.write(tmp_path, UNTIL)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    demo_workload.write(tmp_path, UNTIL)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_run_on_a_later_day_leaves_what_a_first_run_that_day_writes(workload, tmp_path):
    stranger = tmp_path / "payments" / "ana" / "notes.txt"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("not ours")
    demo_workload.write(tmp_path, UNTIL - dt.timedelta(days=9))
    demo_workload.write(tmp_path, UNTIL)
    assert contents(tmp_path) == contents(workload)
    assert stranger.exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_dir() and not list(path.iterdir())]


def test_days_that_two_runs_share_hold_the_same_calls(workload, tmp_path):
    earlier = UNTIL - dt.timedelta(days=9)
    demo_workload.write(tmp_path, earlier)
    then, now = answers(tmp_path), answers(workload, until=earlier)
    both = then.keys() & now.keys()
    assert len(both) > 0.7 * len(now)
    assert {key: then[key] for key in both} == {key: now[key] for key in both}


def test_the_configured_roots_are_the_folders_that_are_written(workload):
    config = tomllib.loads((PROJECT / ".dlt" / "config.toml").read_text())
    roots = config["customers"]["demo"]["sources"]["claude_code"]["roots"]
    configured = {
        root["path"].removeprefix("$MINDWEAVE_HOME/demo/"): (root["team"], root["user"])
        for root in roots
    }
    written = {str(path.parent.relative_to(workload)) for path in workload.glob("*/*/projects")}
    assert configured == {
        folder: (Path(folder).parent.name, f"{Path(folder).name}@northwind.example")
        for folder in written
    }


def test_the_other_sources_are_configured_to_read_what_is_written(workload):
    config = tomllib.loads((PROJECT / ".dlt" / "config.toml").read_text())
    sources = config["customers"]["demo"]["sources"]
    paths = [
        *(root["path"] for root in sources["claude_code_otel"]["roots"]),
        *(root["path"] for root in sources["otel_genai"]["roots"]),
        *(files["path"] for files in sources["csv"]["files"]),
        *sources["anthropic_compliance"]["paths"],
        *sources["mcp_registry"]["paths"],
    ]
    for path in paths:
        assert list(workload.glob(path.removeprefix("$MINDWEAVE_HOME/demo/"))), path


def test_every_source_but_events_is_in_the_demo(workload):
    config = tomllib.loads((PROJECT / ".dlt" / "config.toml").read_text())
    with vendors.serving(workload) as environment:
        served = {name.split("__")[3].lower() for name in environment}
    in_files = set(config["customers"]["demo"]["sources"])
    assert not in_files & served
    # events are pushed, never read
    sources = {path.parent.name for path in PROJECT.glob("dlt_pipelines/sources/*/README.md")}
    assert in_files | served == sources - {"events"}


def test_every_line_but_the_broken_ones_is_json(workload):
    assert {record["type"] for record in records(workload)} >= {"assistant", "user", "summary"}
    lines = [line for path in workload.rglob("*.jsonl") for line in path.read_text().split("\n")]
    assert set(demo_workload.BROKEN_LINES) <= set(lines)


def test_it_is_as_large_as_a_demo_may_be(workload):
    assert 6_000 < len(answers(workload)) < 9_000
    assert sum(map(len, contents(workload).values())) < 50e6


def test_no_call_is_older_than_the_window_or_younger_than_its_last_day(workload):
    days = {record["timestamp"][:10] for record in records(workload) if "timestamp" in record}
    first = UNTIL - dt.timedelta(days=company.DAYS - 1)
    assert (min(days), max(days)) == (first.isoformat(), UNTIL.isoformat())


def test_a_model_is_not_used_before_its_launch(workload):
    launched = {
        model: day.isoformat() for family in demo_workload.MODELS.values() for model, day in family
    }
    for record in records(workload):
        if record["type"] == "assistant" and record["message"]["model"] in launched:
            assert record["timestamp"][:10] >= launched[record["message"]["model"]]


def test_teams_ask_the_same_of_the_same_tools(workload):
    teams_by_call: dict[str, set[str]] = {}
    for path in workload.rglob("*.jsonl"):
        team = path.relative_to(workload).parts[0]
        for line in path.read_text().split("\n"):
            if '"name":"mcp__confluence__search"' in line and "staging" in line:
                block = json.loads(line)["message"]["content"][0]
                teams_by_call.setdefault(json.dumps(block["input"]), set()).add(team)
    assert max(map(len, teams_by_call.values())) >= 4


def test_telemetry_reports_every_call_of_the_transcripts_once_but_of_the_team_without(workload):
    requests = reported(workload)
    teams = {person.team for person in demo_workload.PEOPLE}
    for team in teams - {demo_workload.TEAM_WITHOUT_TELEMETRY}:
        usages = answers(workload, of=team)
        sessions = defaultdict(set)
        for record in records(workload, of=team):
            if record["type"] == "assistant":
                sessions[record["message"]["id"]].add(record["sessionId"])
        for message_id, record in answered(workload, of=team).items():
            event = requests.pop(record["requestId"])
            told = tokens_of(usages[message_id])
            written = told["cache_write_5m"] + told["cache_write_1h"]
            assert [event[name] for name in REPORTED] == [
                *(told["input"], told["output"], told["cache_read"], written)
            ]
            assert event["model"] == record["message"]["model"]
            # a resumed session repeats calls under an id of its own
            assert event["session.id"] in sessions[message_id]
            assert event["user.email"] == f"{record['cwd'].split('/')[2]}@northwind.example"
            assert event["team"] == team
            assert event["duration_ms"] > 0
    # what is left are the calls of a machine whose transcripts nobody collects
    assert 10 < len(requests) < 100
    assert {event["user.email"] for event in requests.values()} == {"fatou@northwind.example"}
    collected = {record.get("sessionId") for record in records(workload)}
    assert not {event["session.id"] for event in requests.values()} & collected


def test_telemetry_tells_how_every_tool_call_of_the_transcripts_ended(workload):
    asked = Counter(
        event["tool_use_id"] for event in events(workload) if event["event.name"] != "api_request"
    )
    assert set(asked.values()) == {1}
    results = {
        content["tool_use_id"]: (content["is_error"], "toolDenialKind" in record)
        for record in records(workload)
        if record["type"] == "user" and isinstance(record["message"]["content"], list)
        for content in record["message"]["content"]
    }
    for event in events(workload):
        if event["event.name"] != "api_request" and event["tool_use_id"] in results:
            is_error, is_denied = results[event["tool_use_id"]]
            assert (event["event.name"] == "tool_decision") == is_denied
            assert (event.get("success") == "true") == (not is_error)
    of_the_team_without = {
        block["id"]
        for record in records(workload, of=demo_workload.TEAM_WITHOUT_TELEMETRY)
        if record["type"] == "assistant"
        for block in record["message"]["content"]
        if block["type"] == "tool_use"
    }
    assert results.keys() - asked.keys() == of_the_team_without


def test_an_event_is_in_the_file_of_its_day(workload, tmp_path):
    assert all(event["event.timestamp"][:10] == event["day"] for event in events(workload))

    [session, *_] = demo_workload.sessions_elsewhere(1, UNTIL)
    call = next(call for call in session.calls if call.tools)
    midnight = dt.datetime.combine(call.ended_at.date(), dt.time(), dt.UTC) + dt.timedelta(days=1)
    tool = dataclasses.replace(call.tools[0], ended_at=midnight)
    call = dataclasses.replace(call, ended_at=midnight - dt.timedelta(seconds=1), tools=(tool,))
    days = dict(telemetry.files([call]))
    assert ["api_request" in text for text in days.values()] == [True, False]
    assert ["tool_" in text for text in days.values()] == [False, True]


def test_the_client_estimates_without_where_inference_ran(workload):
    # Sonnet 4.6 in millionths of a dollar a token; payments runs in the US, at 1.1 times the price
    prices = [Decimal(price) for price in ("3", "15", "0.3", "3.75")]
    differences = [
        event["cost_usd_micros"]
        - sum(event[name] * price for name, price in zip(REPORTED, prices, strict=True))
        for event in reported(workload).values()
        if event["model"] == "claude-sonnet-4-6" and event["team"] == "payments"
    ]
    assert len(differences) > 50
    # those that searched the web cost a cent more
    assert all(min(abs(usd), abs(usd - 10_000)) <= Decimal("0.5") for usd in differences)


def test_the_report_counts_the_tokens_of_every_call_once_by_utc_day_and_model(workload):
    counted: Counter[tuple[str, ...]] = Counter()
    first_lines = answered(workload)
    for message_id, usage in answers(workload).items():
        record = first_lines.pop(message_id)
        key = (record["timestamp"][:10], record["message"]["model"])
        counted += Counter({(*key, kind): count for kind, count in tokens_of(usage).items()})
        counted[(*key, "requests")] += 1
        searches = usage.get("server_tool_use", {}).get("web_search_requests", 0)
        counted[(*key, "web_searches")] += searches
    seen = {record.get("requestId") for record in records(workload)}
    for request_id, event in reported(workload).items():
        if request_id not in seen:
            key = (event["event.timestamp"][:10], event["model"])
            kinds = ("input", "output", "cache_read", "cache_write_5m")
            counts = {(*key, kind): event[name] for kind, name in zip(kinds, REPORTED, strict=True)}
            counted += Counter(counts | {(*key, "requests"): 1})

    told: Counter[tuple[str, ...]] = Counter()
    for row in api_list(workload, "anthropic", "usage"):
        if row["group"]["workspace_id"] is None:
            for kind, count in told_usage(row["usage"]).items():
                told[(row["starting_at"][:10], row["group"]["model"], kind)] += count

    def closed(counts):
        return {key: n for key, n in counts.items() if n and key[0] < LATE.isoformat()}

    assert closed(told) == closed(counted)
    late = [
        sum(n for key, n in counts.items() if key[0] == LATE.isoformat())
        for counts in (told, counted)
    ]
    assert 0 < late[0] <= late[1]
    assert max(key[0] for key in told) == LATE.isoformat()


def test_a_bill_is_for_what_the_report_counts_and_at_the_price_of_the_contract(workload):
    counted = set()
    for row in api_list(workload, "anthropic", "usage"):
        group, told = row["group"], told_usage(row["usage"])
        place = (row["starting_at"], group["workspace_id"])
        for kind in KINDS:
            if told[kind]:
                counted.add((*place, group["model"], anthropic.TOKEN_TYPES[kind]))
        if told["web_searches"]:
            counted.add((*place, None, "web_search"))
    billed = set()
    for row in api_list(workload, "anthropic", "cost"):
        group, cost = row["group"], row["cost"]
        if group["cost_type"] != "code_execution":
            what = group["token_type"] or group["cost_type"]
            billed.add((row["starting_at"], group["workspace_id"], group["model"], what))
        discount = Decimal("0.95") if group["cost_type"] == "tokens" else 1
        assert Decimal(cost["amount"]) == Decimal(cost["list_amount"]) * discount > 0
    assert billed == counted


def test_the_analytics_of_claude_code_count_what_its_seats_used(workload):
    seats: Counter[str] = Counter()
    for row in api_list(workload, "anthropic", "usage"):
        if row["group"]["workspace_id"] is None:
            seats[row["starting_at"][:10]] += row["usage"]["output_tokens"]
    told: Counter[str] = Counter()
    for record in api_list(workload, "anthropic", "claude_code"):
        for part in record["model_breakdown"]:
            told[record["date"][:10]] += part["tokens"]["output"]
    assert told == seats


def test_openai_counts_and_bills_what_gateway_and_job_were_answered(workload):
    gateway = [
        row
        for row in api_list(workload, "litellm", "spend_logs")
        if row["call_type"] == "acompletion" and row["status"] == "success"
    ]
    listed = [
        row
        for path in workload.glob("documents/*.csv")
        for row in csv.DictReader(path.open(newline=""))
        if row["result"] == "ok"
    ]
    seen = Counter({"requests": len(gateway) + len(listed)})
    seen["input"] = sum(row["prompt_tokens"] for row in gateway)
    seen["input"] += sum(int(row["tokens in"]) for row in listed)
    seen["output"] = sum(row["completion_tokens"] for row in gateway)
    seen["output"] += sum(int(row["tokens out"]) for row in listed)

    counted: Counter[str] = Counter()
    for bucket in api_list(workload, "openai", "usage_completions"):
        for result in bucket["results"]:
            counted["requests"] += result["num_model_requests"]
            counted["input"] += result["input_tokens"]
            counted["output"] += result["output_tokens"]
    assert counted == seen

    quantity = sum(
        line["quantity"]
        for bucket in api_list(workload, "openai", "costs")
        for line in bucket["results"]
    )
    assert quantity == seen["input"] + seen["output"]
    spent = sum(Decimal(str(row["spend"])) for row in gateway)
    billed = sum(
        Decimal(line["amount"]["value"])
        for bucket in api_list(workload, "openai", "costs")
        for line in bucket["results"]
        if line["project_id"] == "proj_recommender"
    )
    assert billed == pytest.approx(spent, abs=Decimal("1e-9"))


def test_the_agent_reports_all_that_its_workspace_is_billed_for(workload):
    counted = Counter(
        {
            (row["starting_at"][:10], kind): count
            for row in api_list(workload, "anthropic", "usage")
            if row["group"]["workspace_id"] == "wrkspc_relevance"
            for kind, count in told_usage(row["usage"]).items()
        }
    )
    told: Counter[tuple[str, str]] = Counter()
    for path in workload.glob("agent/*.json"):
        [resource] = json.loads(path.read_text())["resourceSpans"]
        for span in resource["scopeSpans"][0]["spans"]:
            found = values(span["attributes"])
            if found.get("gen_ai.operation.name") == "chat":
                told[(path.stem, "requests")] += 1
                # its input includes what the cache had and took
                read = found["gen_ai.usage.cache_read.input_tokens"]
                written = found["gen_ai.usage.cache_creation.input_tokens"]
                rest = found["gen_ai.usage.input_tokens"] - read - written
                told[(path.stem, "input")] += rest
                told[(path.stem, "cache_read")] += read
                told[(path.stem, "cache_write_5m")] += written
                told[(path.stem, "output")] += found["gen_ai.usage.output_tokens"]
    assert told == +counted


def test_a_command_finds_the_vendors_only_while_it_runs(workload):
    run = [sys.executable, "-m", "dlt_pipelines.demo.vendors", str(workload)]
    asked = """
import os, urllib.request
base = os.environ["CUSTOMERS__DEMO__SOURCES__ANTHROPIC_ADMIN__BASE_URL"]
print(base, urllib.request.urlopen(base + "/v1/organizations/me").read().decode())
raise SystemExit(3)
"""
    done = subprocess.run(
        [*run, sys.executable, "-c", asked], cwd=PROJECT, capture_output=True, text=True
    )
    base, organization = done.stdout.split(" ", 1)
    assert (done.returncode, json.loads(organization)["id"]) == (3, company.ORGANIZATION)
    address = urlsplit(base)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port))

    done = subprocess.run(run, cwd=PROJECT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
