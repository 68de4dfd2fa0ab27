"""What people ask twice, from transcripts to the patterns, their cost and the unchanged bill."""

import itertools
import json
import string
from decimal import Decimal

import pytest

from dlt_pipelines.config import PROJECT_DIR
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.load import load_source, make_missing_tables
from tests.dbt_process import dbt_process
from tests.transcripts import (
    REPOSITORY,
    Record,
    answer,
    command_environment,
    home_settings,
    load,
    rows,
    write,
)

REAL = REPOSITORY.parent / "shared" / "real" / "tau_bench_gpt4o_airline.jsonl"
OPUS = "claude-opus-4-8"
USAGE = {
    "input_tokens": 250,
    "cache_creation_input_tokens": 3000,
    "cache_creation": {"ephemeral_5m_input_tokens": 3000, "ephemeral_1h_input_tokens": 0},
    "cache_read_input_tokens": 80_000,
    "output_tokens": 700,
    "server_tool_use": {"web_search_requests": 0},
}
COST = Decimal("0.0775")
T1 = "List every open incident of the payments team for this week"
T2 = "List every open incident of the payments team for this month"
T4 = "  list EVERY open incident, of the payments team: for this week!! "
T5 = "Draft the agenda of the board meeting and send it to the chair before Friday"
# who of which team asks what, and the tokens that make another cost than the usual one
ASKED: tuple[tuple[str, str, str, dict[str, int]], ...] = (
    ("ana", "payments", T1, {}),  # 0.0775
    ("ben", "payments", T2, {}),  # 0.0775
    ("chen", "search", T4, {"output_tokens": 800}),  # 0.0800
    ("dana", "search", T1, {"cache_read_input_tokens": 45_000}),  # 0.0600
    ("emre", "search", T5, {}),
)
# each of another person, and none of them like another
BAD_PROMPTS = {
    "empty": "",
    "blank": " \n\t ",
    "punctuation": "?!... ---",
    "one_word": "continue",
    "emoji": "🎉🚀👩‍💻",
    "binary": "".join(map(chr, range(32))) + "\x7f\x80\ufffe\ufffd",
    "large": " ".join(
        "".join(letters) for letters in itertools.product(string.ascii_lowercase, repeat=4)
    )
    * 2,
}
PATTERNS = """
    select
        request_count, user_count, team_count, total_cost_usd, avoidable_cost_usd, confidence,
        confidence_error
    from {marts}.hivemind_patterns
"""
BILL = """
    select team_id, usage_date, total_calls, input_tokens, output_tokens, total_cost_usd
    from {marts}.cost_by_team_daily order by all
"""
MARTS = ("hivemind_patterns", "hivemind_pattern_calls", "hivemind_templates", "mcp_calls")
ASKED_FOR = (*MARTS, "cost_by_team_daily", "cost_by_team")
BUILT = ("--select", *(f"+{mart}" for mart in ASKED_FOR))
# whatever a setting changes
CHANGED = ("run", "--select", *(f"int_hivemind__requests+,+{mart}" for mart in ASKED_FOR))


def asked(name, text, minute, usage):
    """Return the lines of a session with one prompt and its answer."""
    at, session = f"2026-08-03T09:{minute:02}", f"session-{name}"
    prompt = {
        "type": "user",
        "uuid": f"prompt-{name}",
        "sessionId": session,
        "timestamp": f"{at}:00.000Z",
        "cwd": "/home/dana/shop-api",
        "isSidechain": False,
        "userType": "external",
        "message": {"role": "user", "content": text},
    }
    reply = answer(name, usage=USAGE | usage, timestamp=f"{at}:20.000Z", sessionId=session)
    reply["message"]["model"] = OPUS
    return [prompt, reply]


def write_everything(folder):
    """Write what everybody asked; return each file as a root to load, with whose it is."""
    files = []
    for minute, (user, team, text, usage) in enumerate(ASKED):
        path = write(folder / user / "session.jsonl", *asked(user, text, minute, usage))
        files.append({"path": str(path), "user": user, "team": team})
    for minute, (name, text) in enumerate(BAD_PROMPTS.items(), 20):
        path = write(folder / name / "session.jsonl", *asked(name, text, minute, {}))
        files.append({"path": str(path), "user": name, "team": "quality"})
    # what can be written as JSON and is no text
    broken = json.dumps(asked("surrogate", "\ud83d alone", 40, {})[0]).encode()
    path = write(folder / "surrogate" / "session.jsonl", broken, asked("surrogate", "", 40, {})[1])
    files.append({"path": str(path), "user": "surrogate", "team": "quality"})
    return files


def load_all(settings, roots):
    load_source(settings, "claude_code", {"roots": roots})


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return home_settings(tmp_path_factory.mktemp("hivemind") / "home")


@pytest.fixture(scope="module")
def files(settings):
    return write_everything(settings.home.parent / "collected")


@pytest.fixture(scope="module")
def dbt(settings, files):
    """Give dbt on a warehouse in which everything is built."""
    load_all(settings, files)
    make_missing_tables(settings)
    environment = command_environment(
        settings.home,
        MINDWEAVE_CUSTOMER="local",
        DO_NOT_TRACK="1",
        **warehouse_at(settings.warehouse_url).dbt_environment(),
    )
    with dbt_process(PROJECT_DIR, settings.home / "dbt", environment) as process:
        tests = ("--exclude-resource-type", "unit_test", "--indirect-selection", "cautious")
        process.run("build", *tests, *BUILT)
        yield process


def contents(settings):
    """Return the marts but for what says when they were built."""
    found = {mart: rows(settings, f"select * from {{marts}}.{mart} order by all") for mart in MARTS}
    found["mcp_calls"] = rows(
        settings,
        """
        select call_id, dedup_hash, is_duplicate, duplicate_of_call_id, total_cost_usd, team_id
        from {marts}.mcp_calls order by all
        """,
    )
    return found


def test_four_people_in_two_teams_who_ask_the_same_are_a_pattern(settings, dbt):
    [found] = rows(settings, PATTERNS)

    # T1, then 0.8 (T2), 1 (T4) and 1 (T1 again)
    confidence = Decimal("0.933333333")
    assert found == (4, 4, 2, Decimal("0.2950"), Decimal("0.2175"), confidence, None)
    duplicates = rows(
        settings,
        """
        select call_id, duplicate_of_call_id from {marts}.mcp_calls
        where is_duplicate order by called_at
        """,
    )
    first = "anthropic/msg_ana"
    assert duplicates == [(f"anthropic/msg_{name}", first) for name in ("ben", "chen", "dana")]
    similarities = rows(
        settings,
        "select call_id, similarity, is_original from {marts}.hivemind_pattern_calls order by 1",
    )
    assert similarities == [
        ("anthropic/msg_ana", 1, True),
        ("anthropic/msg_ben", Decimal("0.8"), False),
        ("anthropic/msg_chen", 1, False),
        ("anthropic/msg_dana", 1, False),
    ]


def test_prompts_that_are_hardly_text_lose_no_call_and_no_cent(settings, dbt, files):
    calls = dict(
        rows(
            settings,
            "select user_id, count(*) from {marts}.mcp_calls where team_id = 'quality' group by 1",
        )
    )
    assert sorted(calls.values()) == [1] * (len(BAD_PROMPTS) + 1)
    [[cost]] = rows(
        settings,
        "select sum(total_cost_usd) from {marts}.cost_by_team where team_id = 'quality'",
    )
    assert cost == (len(BAD_PROMPTS) + 1) * COST
    assert rows(settings, "select count(*) from {marts}.mcp_calls") == [(len(files),)]
    hashes = dict(
        rows(
            settings,
            """
            select replace(call_id, 'anthropic/msg_', ''), dedup_hash is not null
            from {marts}.mcp_calls
            """,
        )
    )
    assert {name for name in hashes if not hashes[name]} == {"empty", "blank", "punctuation"}


def test_a_threshold_that_no_similarity_can_have_is_refused_in_one_line(dbt):
    variables = json.dumps({"mindweave__hivemind_threshold": 1.5})

    with pytest.raises(AssertionError) as refused:
        dbt.run("compile", "--vars", variables, "--select", "int_hivemind__links")

    said = "mindweave__hivemind_threshold is 1.5: set it to a number above 0 and at most 1, such as"
    assert any(said in line for line in str(refused.value).splitlines())


def test_two_customers_with_the_same_prompts_share_no_fingerprint(settings, dbt, files):
    theirs = home_settings(settings.home, "rival")
    load_all(theirs, files[: len(ASKED)])

    def hashes(customer):
        found = rows(customer, "select dedup_hash, sketch from {raw}.content_fingerprints")
        shingles = {sketch[at : at + 16] for _, sketch in found for at in range(0, len(sketch), 16)}
        return {hash_ for hash_, _ in found}, shingles

    (ours, our_shingles), (other, other_shingles) = hashes(settings), hashes(theirs)
    assert len(ours) > len(other) == 3  # T1 and T4 are one
    assert not ours & other
    assert not our_shingles & other_shingles


def test_another_order_of_loading_gives_the_same_marts(settings, files, dbt):
    before = contents(settings)
    assert before["hivemind_patterns"]
    (settings.home / "mindweave.duckdb").unlink()

    load_all(settings, files[:1:-1])
    load_all(settings, files[:2])
    make_missing_tables(settings)
    dbt.run("build", "--resource-type", "seed", "--resource-type", "model", *BUILT)

    assert contents(settings) == before


def test_no_setting_changes_the_bill_and_a_threshold_above_similarity_parts_requests(settings, dbt):
    bill = rows(settings, BILL)
    assert sum(row[-1] for row in bill) == (len(BAD_PROMPTS) + 3) * COST + COST + Decimal("0.14")
    variables = {
        "mindweave__hivemind_threshold": 0.81,
        "mindweave__hivemind_window_days": 1,
        "mindweave__template_share": 0.5,
        "mindweave__hivemind_people": 3,
        "mindweave__privacy_floor": 3,
    }

    dbt.run(*CHANGED, "--vars", json.dumps(variables))

    [found] = rows(settings, PATTERNS)
    assert found == (3, 3, 2, Decimal("0.2175"), Decimal("0.1400"), 1, None)
    assert rows(settings, BILL) == bill


@pytest.mark.skipif(not REAL.exists(), reason="no real data beside this clone")
def test_real_tool_calls_land_with_one_fingerprint_for_each_name_and_arguments(tmp_path):
    settings = home_settings(tmp_path / "home", "airline")
    truth: set[tuple[str, str]] = set()
    lines: list[Record] = []
    for run, line in enumerate(REAL.read_text("utf-8").splitlines()):
        for message in json.loads(line)["messages"]:
            for call in message.get("tool_calls") or []:
                name, text = call["function"]["name"], call["function"]["arguments"]
                truth.add((name, json.dumps(json.loads(text), sort_keys=True)))
                number = len(lines)
                record = answer(number, sessionId=f"run-{run}")
                record["message"]["content"] = [
                    {
                        "type": "tool_use",
                        "id": f"toolu_{number}",
                        "name": f"mcp__airline__{name}",
                        "input": json.loads(text),
                    }
                ]
                lines.append(record)

    load(settings, write(tmp_path / "airline.jsonl", *lines))

    [found] = rows(
        settings,
        """
        select count(*), count(distinct input_fingerprint) from {raw}.claude_code_tool_uses
        """,
    )
    assert found == (len(lines), len(truth))
    [[kept]] = rows(settings, "select count(distinct dedup_hash) from {raw}.content_fingerprints")
    assert kept == len(truth)
