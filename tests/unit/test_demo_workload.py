import datetime as dt
import json
import tomllib
from pathlib import Path

import pytest

from dlt_pipelines import demo_workload

PROJECT = Path(__file__).parents[2]
UNTIL = dt.date(2026, 11, 22)


@pytest.fixture(scope="module")
def workload(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    demo_workload.write(out, UNTIL)
    return out


def contents(out):
    return {path.relative_to(out): path.read_bytes() for path in out.rglob("*.jsonl")}


def records(out):
    for content in contents(out).values():
        for line in content.decode().split("\n")[:-1]:
            if line not in demo_workload.BROKEN_LINES:
                yield json.loads(line)


def answers(out, until=None):
    """The largest usage of each answer, by message id."""
    found: dict[str, dict[str, int]] = {}
    for record in records(out):
        if record["type"] == "assistant" and "requestId" in record:
            message = record["message"]
            if until is None or record["timestamp"][:10] <= until.isoformat():
                known = found.get(message["id"])
                if not known or message["usage"]["output_tokens"] > known["output_tokens"]:
                    found[message["id"]] = message["usage"]
    return found


def test_the_same_seed_writes_the_same_bytes(workload, tmp_path):
    demo_workload.write(tmp_path, UNTIL)
    assert contents(tmp_path) == contents(workload)


def test_another_seed_writes_other_calls(workload, tmp_path):
    demo_workload.write(tmp_path, UNTIL, seed=2)
    assert not answers(tmp_path).keys() & answers(workload).keys()


def test_a_second_run_on_the_same_day_touches_no_file(tmp_path):
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
    written = {str(path.relative_to(workload)) for path in workload.glob("*/*")}
    assert configured.keys() == written
    assert configured == {f"{team}/{user}": (team, user) for team, user in configured.values()}


def test_every_line_but_the_broken_ones_is_json(workload):
    assert {record["type"] for record in records(workload)} >= {"assistant", "user", "summary"}
    lines = [line for c in contents(workload).values() for line in c.decode().split("\n")]
    assert set(demo_workload.BROKEN_LINES) <= set(lines)


def test_it_is_as_large_as_a_demo_may_be(workload):
    assert 6_000 < len(answers(workload)) < 9_000
    assert sum(map(len, contents(workload).values())) < 40e6


def test_no_call_is_older_than_the_window_or_younger_than_its_last_day(workload):
    days = {record["timestamp"][:10] for record in records(workload) if "timestamp" in record}
    first = UNTIL - dt.timedelta(days=demo_workload.DAYS - 1)
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
