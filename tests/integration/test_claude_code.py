"""What lands from transcripts, in a real DuckDB file."""

import getpass
import json
import random
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dlt.common.storages.load_package import PackageStorage

from dlt_pipelines.config import Settings
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.load import load_source
from dlt_pipelines.privacy import customer_key
from tests import transcripts
from tests.transcripts import (
    Killed,
    answer,
    append,
    as_line,
    assert_one_line,
    home_settings,
    load,
    one_pass,
    prompt,
    rows,
    succeeds,
    tool_result,
    tool_use,
    write,
)

DISTINCT_ROWS = """
    select 'message' as kind, file_id, line_number, 0, message_id, input_tokens, output_tokens
    from {raw}.claude_code_messages
    union
    select 'tool use', file_id, line_number, block_index, tool_use_id, null, null
    from {raw}.claude_code_tool_uses
    union
    select 'tool result', file_id, line_number, block_index, tool_use_id, null, null
    from {raw}.claude_code_tool_results
    union
    select 'prompt', file_id, line_number, null, dedup_hash, null, null
    from {raw}.claude_code_prompts
    union
    select 'pass', file_id, line_number, pass_index, pass_type, input_tokens, output_tokens
    from {raw}.claude_code_passes
    union
    select 'quarantine', location, line_number, null, row_fingerprint, null, null
    from {raw}.quarantine
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in ("MINDWEAVE_PRIVACY_KEY", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(tmp_path):
    return home_settings(tmp_path / "home")


@pytest.fixture
def transcript(tmp_path):
    return tmp_path / "claude" / "projects" / "-home-dana-shop-api" / "session-1.jsonl"


def counts(result):
    """Return read, loaded, ignored and quarantined rows, which always add up."""
    found = result.counts
    assert found.rows_read == found.rows_loaded + found.rows_ignored + found.rows_quarantined
    return (
        found.rows_read,
        found.rows_loaded,
        found.rows_ignored,
        found.rows_quarantined,
    )


def landed(settings):
    """Return (message id, output tokens) of every line that landed."""
    return rows(
        settings, "select message_id, output_tokens from {raw}.claude_code_messages order by all"
    )


def _dicts(settings, sql):
    """Return rows with the names of their columns."""
    with duckdb.connect(settings.warehouse_url, read_only=True) as connection:
        table = connection.execute(sql.format(raw=settings.raw_schema)).to_arrow_table()
    return table.to_pylist()


def quarantine(settings):
    """Return (line number, reason) of what is in quarantine."""
    return rows(settings, "select line_number, reason from {raw}.quarantine order by all")


class TestWhatLands:
    def test_an_answer_lands_with_every_field_we_need(self, settings, transcript):
        write(transcript, answer(1, timestamp="2025-10-03T23:59:59.999+02:00"))
        load(settings, transcript, root={"user": "dana", "team": "shop"})

        [row] = _dicts(settings, "select * from {raw}.claude_code_messages")
        key = customer_key(settings.home, "local")
        expected = {
            "line_number": 1,
            "session_id": "session-1",
            "observed_at": datetime(2025, 10, 3, 21, 59, 59, 999000),
            "is_sidechain": False,
            "project_name": "shop-api",
            "user_id": key.person("dana"),
            "team_id": "shop",
            "message_id": "msg_1",
            "request_id": "req_1",
            "model": transcripts.MODEL,
            "input_tokens": 6,
            "cache_creation_input_tokens": 4200,
            "ephemeral_5m_input_tokens": 0,
            "ephemeral_1h_input_tokens": 4200,
            "cache_read_input_tokens": 31800,
            "output_tokens": 187,
            "web_search_requests": 1,
            "service_tier": "standard",
            "speed": "standard",
            "inference_geo": "global",
            "cost_usd": None,
        }
        assert {name: row[name] for name in expected} == expected

    def test_an_answer_without_ids_keeps_its_own_uuid_and_an_old_one_its_cost(
        self, settings, transcript
    ):
        old = answer(1, requestId=None, costUSD=0.1234567)
        del old["message"]["id"]
        write(transcript, old)
        load(settings, transcript)

        assert rows(
            settings,
            "select message_id, request_id, record_uuid, cost_usd from {raw}.claude_code_messages",
        ) == [(None, None, "uuid-1", Decimal("0.123456700000000"))]

    def test_an_empty_text_is_none_and_an_empty_id_identifies_nothing(self, settings, transcript):
        empty = answer(1, usage={"inference_geo": ""}, requestId="", uuid="uuid-empty")
        empty["message"]["id"] = ""
        write(transcript, empty)
        load(settings, transcript)
        assert rows(
            settings,
            "select message_id, request_id, record_uuid, inference_geo, speed "
            "from {raw}.claude_code_messages",
        ) == [(None, None, "uuid-empty", None, "standard")]

    def test_each_line_of_a_streamed_answer_lands_for_the_warehouse_to_choose(
        self, settings, transcript
    ):
        snapshots = [answer(1, usage={"output_tokens": tokens}) for tokens in (1, 3, 187)]
        write(transcript, *snapshots)

        assert counts(load(settings, transcript)) == (3, 3, 0, 0)
        assert landed(settings) == [("msg_1", 1), ("msg_1", 3), ("msg_1", 187)]

    def test_files_of_sub_agents_are_found_in_both_places(self, settings, transcript):
        write(transcript, answer(1))
        folder = transcript.parent
        write(folder / "session-1" / "subagents" / "agent-a.jsonl", answer(2, isSidechain=True))
        write(folder / "agent-b.jsonl", answer(3, isSidechain=True))

        load(settings, transcript.parents[2])

        assert rows(
            settings,
            "select message_id, is_sidechain from {raw}.claude_code_messages order by all",
        ) == [("msg_1", False), ("msg_2", True), ("msg_3", True)]

    def test_an_answer_wrapped_in_progress_is_a_side_chain_with_its_tool_calls(
        self, settings, transcript
    ):
        inner = tool_use("wrapped")
        outer = {key: inner.pop(key) for key in ("sessionId", "cwd", "version")}
        inner["timestamp"] = "2025-10-04T00:00:00Z"
        wrapper = {
            **outer,
            "type": "progress",
            "uuid": "uuid-progress",
            "timestamp": "2025-10-05T00:00:00Z",
            "data": {"type": "agent_progress", "message": inner},
        }
        plain = {"type": "progress", "data": {"type": "bash_progress", "output": "x"}}
        write(transcript, wrapper, plain)

        assert counts(load(settings, transcript)) == (2, 1, 1, 0)
        assert rows(
            settings,
            """
            select message_id, request_id, session_id, is_sidechain, project_name,
                cast(observed_at as date)::text
            from {raw}.claude_code_messages
            """,
        ) == [("msg_wrapped", "req_wrapped", "session-1", True, "shop-api", "2025-10-04")]
        assert rows(settings, "select tool_name from {raw}.claude_code_tool_uses") == [
            ("mcp__tickets__get_ticket",)
        ]

    def test_what_the_client_wrote_itself_is_no_answer(self, settings, transcript):
        synthetic, error = answer(1), answer(2, isApiErrorMessage=True)
        synthetic["message"]["model"] = "<synthetic>"
        del synthetic["message"]["usage"]
        write(transcript, synthetic, error, answer(3))

        assert counts(load(settings, transcript)) == (3, 1, 2, 0)
        assert landed(settings) == [("msg_3", 187)]

    def test_unknown_record_types_are_counted_by_a_word_never_by_content(
        self, settings, transcript
    ):
        write(
            transcript,
            *[{"type": "new-kind"}] * 3,
            {"type": "summary", "summary": "We shipped it"},
            {"type": "We shipped it, Dana!"},
            {"type": "x" * 100},
            answer(1),
        )

        assert counts(load(settings, transcript)) == (7, 1, 6, 0)
        assert rows(
            settings,
            """
            select record_type, is_known, record_count
            from {raw}.claude_code_record_types order by all
            """,
        ) == [
            ("assistant", True, 1),
            ("new-kind", False, 3),
            ("other", False, 2),
            ("summary", True, 1),
        ]

    def test_calls_of_mcp_tools_land_as_a_fingerprint_and_other_tools_do_not(
        self, settings, transcript
    ):
        write(transcript, tool_use(1), tool_use(2), tool_use(3, "Bash"), tool_result(1, True))

        assert counts(load(settings, transcript)) == (4, 4, 0, 0)
        uses = rows(
            settings,
            """
            select tool_use_id, tool_name, message_id, input_fingerprint
            from {raw}.claude_code_tool_uses order by all
            """,
        )
        assert [use[:3] for use in uses] == [
            ("toolu_1", "mcp__tickets__get_ticket", "msg_1"),
            ("toolu_2", "mcp__tickets__get_ticket", "msg_2"),
        ]
        assert uses[0][3] == uses[1][3], "the same question has the same fingerprint"
        assert rows(
            settings, "select tool_use_id, is_error from {raw}.claude_code_tool_results"
        ) == [("toolu_1", True)]

    def test_one_input_written_in_two_ways_has_one_fingerprint_and_a_sketch(
        self, settings, transcript
    ):
        inputs: tuple[dict[str, Any], ...] = (
            {"a": 1, "b": {"d": 2.5, "c": None}},
            {"b": {"c": None, "d": 2.5}, "a": 1},
            {},
        )
        records = [tool_use(number) for number in range(len(inputs))]
        for record, value in zip(records, inputs, strict=True):
            record["message"]["content"][0]["input"] = value
        write(transcript, *records)
        load(settings, transcript)

        uses = rows(
            settings,
            """
            select input_fingerprint, content_kind, shingle_count
            from {raw}.claude_code_tool_uses
            inner join {raw}.content_fingerprints on input_fingerprint = dedup_hash
            order by tool_use_id
            """,
        )
        assert uses[0] == uses[1] == (uses[0][0], "tool_input", 9)
        assert uses[2][1:] == ("tool_input", 1)

    def test_half_an_emoji_in_the_text_costs_no_answer(self, settings, transcript):
        halves = [
            rb"\ud83d",
            rb"\uDE00",
            rb"\ud83d\ud83d",
            rb"\ud83d\\\\\ud83d",
            rb"a backslash before a u: C:\\udd8a, and half an emoji: \ud83d",
        ]
        line = as_line(answer(1))
        write(transcript, *(line.replace(b"Let me look.", half) for half in halves), answer(2))

        assert counts(load(settings, transcript)) == (6, 6, 0, 0)

    def test_a_line_of_50_megabytes_is_an_answer_like_any_other(self, settings, transcript):
        long = answer(1)
        long["message"]["content"][0]["text"] = "x" * 50 * 2**20
        write(transcript, long, answer(2))

        assert counts(load(settings, transcript)) == (2, 2, 0, 0)

    def test_a_record_nested_a_hundred_thousand_deep_stops_nothing(self, settings, transcript):
        deep = as_line(tool_use(1)).replace(b'"T-1042"', b"[" * 100_000 + b"]" * 100_000)
        write(transcript, deep, answer(2))

        read, *_ = counts(load(settings, transcript))

        assert read == 2
        assert ("msg_2", 187) in landed(settings)

    def test_windows_files_count_like_others(self, settings, transcript):
        lines = [as_line(answer(number)).decode() for number in (1, 2)]
        transcript.parent.mkdir(parents=True)
        transcript.write_bytes("\r\n".join([*lines, ""]).encode("utf-8-sig"))

        assert counts(load(settings, transcript)) == (2, 2, 0, 0)

    def test_spaced_json_in_any_order_of_keys_counts_too(self, settings, transcript):
        record = dict(reversed(answer(1).items()))
        write(transcript, json.dumps(record, indent=None, separators=(", ", ": ")) + "  ")

        assert counts(load(settings, transcript)) == (1, 1, 0, 0)

    def test_blank_lines_are_ignored(self, settings, transcript):
        write(transcript, answer(1), "", "  \t", answer(2))

        assert counts(load(settings, transcript)) == (4, 2, 2, 0)


COMPACTION = one_pass("compaction", input_tokens=180_000, output_tokens=3500)
ADVICE = one_pass(
    "advisor_message",
    model="claude-opus-4-7",
    input_tokens=823,
    cache_read_input_tokens=300,
    cache_creation_input_tokens=500,
    cache_creation={"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 400},
    output_tokens=1612,
)
ITSELF = one_pass("message", input_tokens=6, output_tokens=187)
BROKEN_PASSES: list[tuple[Any, str]] = [
    *(
        (entry, "a pass has no type, no input_tokens or no output_tokens")
        for entry in (1, None, "x", [], {}, [ADVICE], {**ADVICE, "type": None})
    ),
    *(
        ({**ADVICE, kind: None}, "a pass has no type, no input_tokens or no output_tokens")
        for kind in ("input_tokens", "output_tokens")
    ),
    *(
        ({**ADVICE, kind: count}, "a token count of a pass is not a whole number")
        for kind in ("input_tokens", "output_tokens", "cache_read_input_tokens")
        for count in (-1, 1.5, "5", 10**13, 1e30, [1], {"n": 1}, "NaN", True)
    ),
    (
        {**ADVICE, "cache_creation": {"ephemeral_1h_input_tokens": -1}},
        "a token count of a pass is not a whole number",
    ),
    ({**ADVICE, "model": "a\nb"}, "an id or a name is not plain text"),
    ({**ADVICE, "model": "x" * 2000}, "an id or a name is not plain text"),
]


def with_passes(number, *entries, **usage):
    """Return an answer whose usage lists what it was made of."""
    return answer(number, usage={"iterations": list(entries), **usage})


def passes(settings):
    """Return (message id, place, type, model, input and output tokens) of the passes."""
    return rows(
        settings,
        """
        select message_id, pass_index, pass_type, model, input_tokens, output_tokens
        from {raw}.claude_code_passes order by all
        """,
    )


class TestPasses:
    def test_a_pass_beside_the_answer_lands_with_its_tokens_and_its_own_model(
        self, settings, transcript
    ):
        write(transcript, with_passes(1, COMPACTION, ITSELF, ADVICE, ITSELF))

        assert counts(load(settings, transcript)) == (1, 1, 0, 0)
        compaction, advice = _dicts(
            settings, "select * from {raw}.claude_code_passes order by pass_index"
        )
        assert compaction["model"] is None
        assert compaction["ephemeral_5m_input_tokens"] is None
        expected = {
            "line_number": 1,
            "pass_index": 2,
            "record_uuid": "uuid-1",
            "message_id": "msg_1",
            "request_id": "req_1",
            "is_sidechain": False,
            "pass_type": "advisor_message",
            "model": "claude-opus-4-7",
            "input_tokens": 823,
            "cache_creation_input_tokens": 500,
            "ephemeral_5m_input_tokens": 100,
            "ephemeral_1h_input_tokens": 400,
            "cache_read_input_tokens": 300,
            "output_tokens": 1612,
            "observed_at": datetime(2025, 10, 3, 10, 15, 2, 114000),
        }
        assert {name: advice[name] for name in expected} == expected

    def test_the_answer_itself_is_no_pass(self, settings, transcript):
        write(
            transcript,
            with_passes(1, ITSELF),
            with_passes(2, ITSELF, one_pass("message", output_tokens=9)),
            with_passes(3),
            answer(4, usage={"iterations": None}),
            answer(5),
        )

        assert counts(load(settings, transcript)) == (5, 5, 0, 0)
        assert passes(settings) == []

    def test_an_attempt_that_was_declined_is_a_pass_only_if_it_wrote_something(
        self, settings, transcript
    ):
        declined = {"model": "claude-fable-5", "input_tokens": 535}
        served = one_pass("fallback_message", model=transcripts.MODEL, output_tokens=264)
        write(
            transcript,
            with_passes(1, one_pass("message", **declined), served),
            with_passes(2, one_pass("message", **declined, output_tokens=5), served),
        )
        load(settings, transcript)

        assert passes(settings) == [("msg_2", 1, "message", "claude-fable-5", 535, 5)]

    def test_an_answer_is_of_the_model_that_served_it(self, settings, transcript):
        started, declined = answer(1), {"model": "claude-fable-5", "output_tokens": 5}
        started["message"]["model"] = "claude-fable-5"
        started["message"]["usage"]["iterations"] = [
            one_pass("message", **declined),
            one_pass("fallback_message", model="claude-opus-4-8", output_tokens=264),
        ]
        write(transcript, started)
        load(settings, transcript)

        assert rows(settings, "select model from {raw}.claude_code_messages") == [
            ("claude-opus-4-8",)
        ]
        assert passes(settings) == [("msg_1", 1, "message", "claude-fable-5", 0, 5)]

    def test_a_pass_of_a_type_to_come_lands_by_a_word_never_by_content(self, settings, transcript):
        kinds = ("review_2", "We shipped it, Dana!", {"we": "shipped"}, "x" * 100)
        write(transcript, with_passes(1, *({**COMPACTION, "type": kind} for kind in kinds)))
        load(settings, transcript)

        assert [row[2] for row in passes(settings)] == ["review_2", "other", "other", "other"]

    @pytest.mark.parametrize("iterations", ["x", 5, True, {"type": "compaction"}])
    def test_what_is_no_list_holds_no_passes(self, settings, transcript, iterations):
        write(transcript, answer(1, usage={"iterations": iterations}))

        assert counts(load(settings, transcript)) == (1, 1, 0, 0)
        assert passes(settings) == []

    def test_an_answer_with_a_pass_that_cannot_be_counted_is_not_guessed(
        self, settings, transcript
    ):
        write(
            transcript,
            *(
                with_passes(number, COMPACTION, entry)
                for number, (entry, _) in enumerate(BROKEN_PASSES)
            ),
            with_passes("good", COMPACTION),
        )
        broken = len(BROKEN_PASSES)

        assert counts(load(settings, transcript)) == (broken + 1, 1, 0, broken)
        assert quarantine(settings) == [
            (line_number, reason) for line_number, (_, reason) in enumerate(BROKEN_PASSES, start=1)
        ]
        assert [row[0] for row in passes(settings)] == ["msg_good"]

    def test_only_what_was_sent_to_a_model_has_passes(self, settings, transcript):
        synthetic = with_passes(1, COMPACTION)
        synthetic["message"]["model"] = "<synthetic>"
        changes = ({"type": "user"}, {"isApiErrorMessage": True})
        write(transcript, synthetic, *(with_passes(2, COMPACTION) | change for change in changes))
        load(settings, transcript)

        assert passes(settings) == []

    def test_a_wrapped_answer_of_a_side_chain_has_its_passes(self, settings, transcript):
        inner = with_passes("wrapped", ADVICE)
        write(transcript, {"type": "progress", "uuid": "u", "data": {"message": inner}})
        load(settings, transcript)

        assert rows(settings, "select message_id, is_sidechain from {raw}.claude_code_passes") == [
            ("msg_wrapped", True)
        ]


BROKEN_LINES = [
    (b"not json", "the line is not valid JSON"),
    (as_line(answer("cut"))[:200], "the line is not valid JSON"),
    (b"\x00\x00 not json", "the line is not valid JSON"),
    (b"[1, 2]", "the record has no type"),
    (b"null", "the line is not a JSON object"),
    (b"{}", "the record has no type"),
    (b'{"type": null}', "the record has no type"),
    (b'{"type": "summary", "summary": "\xff\xfe"}', "the line is not UTF-8"),
]
BROKEN_USAGE: list[transcripts.Record] = [
    *({"input_tokens": tokens} for tokens in ("many", "", "5 7", "6", " 6", -1, 1.5, 1e30, True)),
    *({"output_tokens": tokens} for tokens in ([1], {"n": 1}, -0.5, 10**13, "NaN", "")),
    *({"cache_read_input_tokens": tokens} for tokens in ("1 2", "x", -31800, 0.1)),
    {"cache_creation": {"ephemeral_5m_input_tokens": "1 2"}},
    {"cache_creation": {"ephemeral_1h_input_tokens": -4200}},
    {"server_tool_use": {"web_search_requests": ""}},
]
BROKEN_TIMES: list[Any] = [
    *(None, "", "yesterday", 1759486502, "2025-13-01T00:00:00Z", "2025-02-30T00:00:00Z"),
    *("infinity", "-infinity", "0001-01-01T00:00:00Z", "99999-01-01T00:00:00Z", [], {}),
    *("290000-01-01T00:00:00Z", "2150-01-01T00:00:00Z", "25:00", "1970-01-01T00:00:00Z"),
]


class TestQuarantine:
    def test_a_broken_line_is_there_with_its_file_line_number_and_reason(
        self, settings, transcript
    ):
        good = [answer(number) for number in range(len(BROKEN_LINES))]
        lines = [
            line for pair in zip(good, (line for line, _ in BROKEN_LINES), strict=True)
            for line in pair
        ]  # fmt: skip
        write(transcript, *lines)

        result = load(settings, transcript)

        assert counts(result) == (16, 8, 0, 8)
        folder = customer_key(settings.home, "local").fingerprint("path", str(transcript.parent))
        assert rows(
            settings,
            """
            select line_number, reason, load_id, source, location, row_bytes
            from {raw}.quarantine order by line_number
            """,
        ) == [
            (2 * number, reason, result.load_id, "claude_code")
            + (f"{folder[:12]}/session-1.jsonl", len(line))
            for number, (line, reason) in enumerate(BROKEN_LINES, start=1)
        ]

    def test_equal_broken_lines_have_equal_fingerprints(self, settings, transcript):
        write(transcript, "oops", "oops", "other")
        load(settings, transcript)

        assert rows(settings, "select count(distinct row_fingerprint) from {raw}.quarantine") == [
            (2,)
        ]

    def test_an_answer_whose_tokens_are_no_counts_is_not_guessed(self, settings, transcript):
        write(transcript, *(answer(n, usage=usage) for n, usage in enumerate(BROKEN_USAGE)))

        assert counts(load(settings, transcript)) == (len(BROKEN_USAGE), 0, 0, len(BROKEN_USAGE))
        assert {reason for _, reason in quarantine(settings)} == {
            "a token count is not a whole number"
        }

    def test_an_answer_without_usage_is_not_guessed(self, settings, transcript):
        none, null = answer(1), answer(2)
        del none["message"]["usage"]
        null["message"]["usage"] = None
        partial = [
            answer(3, usage={"input_tokens": None}),
            answer(4, usage={"output_tokens": None}),
        ]
        write(transcript, none, null, *partial, {"type": "assistant"})
        load(settings, transcript)

        no_usage = "the answer has no usage"
        no_tokens = "the usage has no input_tokens or no output_tokens"
        assert quarantine(settings) == [
            (1, no_usage),
            (2, no_usage),
            (3, no_tokens),
            (4, no_tokens),
            (5, no_usage),
        ]

    def test_kinds_of_tokens_that_are_absent_are_none(self, settings, transcript):
        old = answer(1)
        old["message"]["usage"] = {"input_tokens": 1, "output_tokens": 2}
        write(transcript, old)

        assert counts(load(settings, transcript)) == (1, 1, 0, 0)

    def test_an_answer_at_no_time_is_not_guessed(self, settings, transcript):
        write(transcript, *(answer(n, timestamp=when) for n, when in enumerate(BROKEN_TIMES)))

        assert counts(load(settings, transcript)) == (len(BROKEN_TIMES), 0, 0, len(BROKEN_TIMES))
        assert all("timestamp" in reason for _, reason in quarantine(settings))

    def test_an_id_that_is_no_plain_text_is_refused(self, settings, transcript):
        write(transcript, answer(1, sessionId="a\nb"), answer(2, requestId="x" * 2000))
        load(settings, transcript)

        assert [reason for _, reason in quarantine(settings)] == [
            "an id or a name is not plain text"
        ] * 2

    def test_whatever_stands_in_a_field_no_line_stops_the_load(self, settings, transcript):
        """One line a field and value: strange JSON anywhere, and always a good line behind it."""
        strange: list[Any] = [
            *(None, True, 0, -1, 1.5, 1e300, 10**30, "", " ", "x", "5 7", "\x00", "infinity"),
            *("é" * 10, [], [[]], [None], [{}], {}, {"type": "tool_use"}, "mcp__a__b", "1" * 400),
        ]
        fallback = one_pass("fallback_message", model=transcripts.MODEL)
        sources = [
            tool_use("base"),
            tool_result("base"),
            with_passes("base", COMPACTION, ITSELF, fallback),
        ]
        progress = {"type": "progress", "data": {"message": tool_use("wrapped")}}
        mutated = [
            line
            for record in (*sources, progress)
            for place in _places(record)
            for value in strange
            for line in (_changed(record, place, value), answer("good"))
        ]
        write(transcript, *mutated)

        read, loaded, _, _ = counts(load(settings, transcript))

        assert read == len(mutated)
        assert loaded >= read / 2
        assert rows(
            settings,
            "select count(*) from {raw}.claude_code_messages where message_id = 'msg_good'",
        ) == [(read // 2,)]

    def test_a_utf16_and_a_binary_file_cost_nobody_a_run(self, settings, transcript):
        write(transcript, answer(1))
        folder = transcript.parent
        (folder / "utf16.jsonl").write_bytes(json.dumps(answer(2)).encode("utf-16"))
        (folder / "binary.jsonl").write_bytes(random.Random(1).randbytes(50_000))  # noqa: S311
        (folder / "empty.jsonl").touch()

        result = load(settings, folder)

        assert counts(result)[1] == 1
        assert (None, "the file is UTF-16: convert it to UTF-8") in quarantine(settings)
        assert load(settings, folder).load_id is None, "and nothing of it is read again"

    def test_a_link_that_leads_to_itself_costs_nobody_a_run(self, settings, transcript):
        write(transcript, answer(1))
        (transcript.parent / "loop.jsonl").symlink_to("loop.jsonl")
        (transcript.parent / "loop").symlink_to(".")
        (transcript.parent / "gone.jsonl").symlink_to("nowhere")

        load(settings, transcript.parent)

        assert landed(settings) == [("msg_1", 187)]


def _places(record, path=()):
    """Return the path of every value in a record."""
    children = record.items() if isinstance(record, dict) else enumerate(record)
    for key, value in children:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*path, key))


def _changed(record, place, value):
    """Return a copy of ``record`` with ``value`` at ``place``."""
    changed = json.loads(json.dumps(record))
    target = changed
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    return changed


class TestOnlyWhatIsNew:
    def test_a_second_load_finds_nothing_new(self, settings, transcript):
        write(transcript, answer(1), "broken")
        load(settings, transcript)

        again = load(settings, transcript)

        assert (again.load_id, counts(again)) == (None, (0, 0, 0, 0))
        assert rows(settings, "select count(*) from {raw}.loads") == [(1,)]

    def test_only_new_lines_of_a_file_that_grew_are_loaded(self, settings, transcript):
        write(transcript, answer(1), answer(2))
        first = load(settings, transcript)
        size = transcript.stat().st_size
        append(transcript, answer(3))
        grown = load(settings, transcript)

        assert counts(first) == (2, 2, 0, 0)
        assert counts(grown) == (1, 1, 0, 0)
        assert grown.counts.bytes_read == transcript.stat().st_size - size
        assert rows(
            settings, "select line_number from {raw}.claude_code_messages order by all"
        ) == [(1,), (2,), (3,)]

    def test_a_half_written_last_line_is_loaded_the_next_time(self, settings, transcript):
        line = as_line(answer(2))
        write(transcript, answer(1))
        transcript.write_bytes(transcript.read_bytes() + line[:100])
        assert counts(load(settings, transcript)) == (1, 1, 0, 0)
        assert load(settings, transcript).load_id is None
        with transcript.open("ab") as stream:
            stream.write(line[100:] + b"\n")

        assert counts(load(settings, transcript)) == (1, 1, 0, 0)
        assert landed(settings) == [("msg_1", 187), ("msg_2", 187)]

    def test_a_file_that_was_replaced_is_loaded_anew(self, settings, transcript):
        write(transcript, answer(1), answer(2))
        load(settings, transcript)
        write(transcript, answer(3))

        assert counts(load(settings, transcript)) == (1, 1, 0, 0)
        assert [message for message, _ in landed(settings)] == ["msg_1", "msg_2", "msg_3"]

    def test_a_new_file_does_not_make_the_old_ones_new(self, settings, transcript):
        write(transcript, answer(1))
        load(settings, transcript.parent)
        write(transcript.with_name("session-2.jsonl"), answer(2))

        result = load(settings, transcript.parent)

        assert (result.counts.files_read, counts(result)) == (1, (1, 1, 0, 0))


class TestWhereTranscriptsAre:
    @pytest.fixture
    def user_home(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path / "user"))
        return tmp_path / "user"

    @staticmethod
    def load_default(settings):
        return load_source(settings, "claude_code")

    def test_both_default_folders_are_read(self, settings, user_home):
        write(user_home / ".claude" / "projects" / "-a" / "1.jsonl", answer(1))
        write(user_home / ".config" / "claude" / "projects" / "-b" / "2.jsonl", answer(2))
        write(user_home / ".claude" / "todos" / "3.jsonl", answer(3))

        self.load_default(settings)

        assert [message for message, _ in landed(settings)] == ["msg_1", "msg_2"]

    def test_claude_config_dir_replaces_the_default_and_may_be_several(
        self, settings, user_home, tmp_path, monkeypatch
    ):
        write(user_home / ".claude" / "projects" / "-a" / "1.jsonl", answer(1))
        for number in (2, 3):
            write(tmp_path / str(number) / "projects" / "-b" / "s.jsonl", answer(number))
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", f"{tmp_path / '2'}, {tmp_path / '3'},")

        self.load_default(settings)

        assert [message for message, _ in landed(settings)] == ["msg_2", "msg_3"]

    def test_a_path_is_a_claude_folder_a_folder_above_transcripts_or_a_file(
        self, settings, transcript
    ):
        write(transcript, answer(1))
        write(transcript.with_name("other.jsonl"), answer(2))

        load(settings, transcript)
        assert [message for message, _ in landed(settings)] == ["msg_1"]
        load(settings, transcript.parent)
        assert [message for message, _ in landed(settings)] == ["msg_1", "msg_2"]
        assert load(settings, transcript.parents[2]).load_id is None, "the same two files"

    def test_no_transcripts_names_every_folder_that_was_looked_at(self, settings, user_home):
        with pytest.raises(MindweaveError) as caught:
            self.load_default(settings)

        message = str(caught.value)
        assert str(user_home / ".claude") in message
        assert str(user_home / ".config" / "claude") in message
        assert "name a folder or file with --path" in message

    def test_a_setting_that_does_not_exist_is_named(self, settings, transcript):
        write(transcript, answer(1))

        with pytest.raises(MindweaveError, match="source claude_code: roots.0.usr: "):
            load(settings, transcript, root={"usr": "dana"})


class TestPeopleAndProjects:
    def test_a_person_is_one_pseudonym_in_a_customer_and_another_in_the_next(
        self, settings, transcript, tmp_path
    ):
        write(transcript, answer(1))
        write(tmp_path / "more" / "2.jsonl", answer(2))
        globex = Settings(settings.home, settings.warehouse_url, "globex")
        users = {}
        for customer in (settings, globex):
            for path in (transcript, tmp_path / "more"):
                load(customer, path, root={"user": "dana"})
            users[customer.customer] = rows(
                customer, "select distinct user_id from {raw}.claude_code_messages"
            )

        [[local], [other]] = users.values()
        assert local != other
        assert local[0].startswith("person_")

    def test_without_a_user_it_is_the_login_as_a_pseudonym(self, settings, transcript):
        write(transcript, answer(1))
        load(settings, transcript)

        login = customer_key(settings.home, "local").person(getpass.getuser())
        assert rows(settings, "select user_id from {raw}.claude_code_messages") == [(login,)]

    def test_a_collection_of_many_peoples_folders_is_a_list_of_roots(self, settings, tmp_path):
        roots = []
        for number, user in enumerate(("ana", "bo")):
            write(tmp_path / user / "projects" / "-p" / "s.jsonl", answer(number))
            roots.append({"path": str(tmp_path / user), "user": user, "team": f"team-{user}"})
        load_source(settings, "claude_code", {"roots": roots})

        key = customer_key(settings.home, "local")
        assert rows(
            settings, "select user_id, team_id from {raw}.claude_code_messages order by message_id"
        ) == [(key.person("ana"), "team-ana"), (key.person("bo"), "team-bo")]

    def test_a_project_is_a_keyed_fingerprint_and_its_last_part(self, settings, transcript):
        names = {
            "/home/dana/shop-api": "shop-api",
            "/home/dana/shop-ui/": "shop-ui",
            r"C:\Users\Dana\Shop": "Shop",
            "/": None,
        }
        write(transcript, *(answer(number, cwd=cwd) for number, cwd in enumerate([*names, None])))
        load(settings, transcript)

        key = customer_key(settings.home, "local")
        found = rows(
            settings,
            """
            select project_name, project_fingerprint
            from {raw}.claude_code_messages order by message_id
            """,
        )
        assert [name for name, _ in found] == [*names.values(), None]
        for cwd, (_, fingerprint) in zip(names, found, strict=False):
            assert key.fingerprint("project", cwd).startswith(fingerprint)
            assert len(fingerprint) >= 32
        assert found[-1] == (None, None)

    def test_projects_of_one_name_in_two_folders_stay_two(self, settings, transcript):
        write(transcript, answer(1, cwd="/a/shop"), answer(2, cwd="/b/shop"))
        load(settings, transcript)

        assert rows(
            settings,
            """
            select count(distinct project_name), count(distinct project_fingerprint)
            from {raw}.claude_code_messages
            """,
        ) == [(1, 2)]

    def test_a_customer_who_forbids_it_keeps_no_name_of_a_project(self, settings, transcript):
        write(transcript, answer(1))
        load(settings, transcript, keep_project_name=False)

        [row] = rows(
            settings, "select project_name, project_fingerprint from {raw}.claude_code_messages"
        )
        assert row[0] is None
        assert row[1]

    def test_two_customers_with_the_same_input_share_nothing(self, settings, transcript):
        write(transcript, prompt(1), tool_use(1), tool_result(1), "broken")
        globex = Settings(settings.home, settings.warehouse_url, "globex")
        values = []
        for customer in (settings, globex):
            assert counts(load(customer, transcript)) == (4, 3, 0, 1)
            values.append(
                rows(
                    customer,
                    """
                    select messages.user_id, file_id, project_fingerprint, input_fingerprint,
                        row_fingerprint, location, dedup_hash, prints.sketch
                    from {raw}.claude_code_messages as messages
                    inner join {raw}.claude_code_tool_uses using (file_id)
                    inner join {raw}.claude_code_prompts using (file_id)
                    inner join {raw}.content_fingerprints as prints using (dedup_hash)
                    cross join {raw}.quarantine
                    """,
                )
            )

        [[local], [other]] = values
        assert set(local).isdisjoint(other)


class TestPrompts:
    def test_a_prompt_that_a_person_typed_lands_as_its_fingerprint(self, settings, transcript):
        blocks = [
            {"type": "text", "text": "Why is"},
            {"type": "image", "source": {"data": "aGk="}},
            {"type": "text", "text": "REFUND stuck?"},
        ]
        write(
            transcript,
            prompt(1, "Why is refund stuck"),
            prompt(2, blocks, sessionId="session-2"),
            prompt(3, "?!"),
        )

        result = load(settings, transcript, root={"user": "dana", "team": "payments"})
        assert counts(result) == (3, 3, 0, 0)
        key = customer_key(settings.home, "local")
        stuck = key.fingerprint("prompt", "why is refund stuck")
        who = (key.person("dana"), "payments", datetime(2025, 10, 3, 10, 14, 58, 2000))
        assert rows(
            settings,
            """
            select record_uuid, session_id, dedup_hash, user_id, team_id, observed_at
            from {raw}.claude_code_prompts order by line_number
            """,
        ) == [
            ("uuid-prompt-1", "session-1", stuck, *who),
            ("uuid-prompt-2", "session-2", stuck, *who),
            ("uuid-prompt-3", "session-1", None, *who),
        ]
        assert rows(
            settings,
            """
            select source, content_kind, dedup_hash, normalization, shingle_count, sketch_size,
                length(sketch)
            from {raw}.content_fingerprints
            """,
        ) == [("claude_code", "prompt", stuck, "1", 2, 256, 32)]

    @pytest.mark.parametrize(
        "record",
        [
            prompt(isMeta=True),
            prompt(isCompactSummary=True),
            prompt(isSidechain=True),
            prompt(timestamp="yesterday"),
            prompt(content=""),
            prompt(content=[]),
            prompt(content=[{"type": "image"}, "text", None]),
            prompt(content={"type": "text", "text": "no list"}),
            prompt(content=None),
            prompt(content="<command-name>/init</command-name>\n<command-args>a</command-args>"),
            prompt(content="\n<command-message>init is running</command-message>"),
            prompt(content="<local-command-stdout>done</local-command-stdout>"),
            prompt(content="<bash-input>ls</bash-input>"),
            prompt(content="<bash-stdout>a b</bash-stdout><bash-stderr></bash-stderr>"),
            prompt(content="<user-memory-input>remember</user-memory-input>"),
            prompt(content="<system-reminder>\nThe file changed\n</system-reminder>"),
            prompt(content=[{"type": "text", "text": "[Request interrupted by user]"}]),
            prompt(content="[Request interrupted by user for tool use]"),
            prompt(content="Caveat: The messages below were generated by the user while running"),
            prompt(content="This session is being continued from a previous conversation that"),
        ],
    )
    def test_what_nobody_typed_is_no_prompt(self, settings, transcript, record):
        write(transcript, answer(1), record)

        assert counts(load(settings, transcript)) == (2, 1, 1, 0)
        assert rows(settings, "select * from {raw}.claude_code_prompts") == []
        assert rows(settings, "select * from {raw}.content_fingerprints") == []

    def test_a_result_of_a_tool_is_no_prompt_nor_is_what_stands_beside_it(
        self, settings, transcript
    ):
        record = tool_result(1)
        record["message"]["content"].append({"type": "text", "text": "not typed"})
        write(transcript, record)

        assert counts(load(settings, transcript)) == (1, 1, 0, 0)
        assert rows(settings, "select * from {raw}.claude_code_prompts") == []

    def test_what_the_client_adds_to_a_prompt_does_not_count(self, settings, transcript):
        notes = "<system-reminder>\nToday is Friday.\n</system-reminder>"
        opened = "<ide_opened_file>The user opened /a.py in the IDE.</ide_opened_file>"
        write(
            transcript,
            prompt(1, "Fix <b>this</b> first"),
            prompt(2, f"Fix <b>this</b> first\n{notes}"),
            prompt(3, [{"type": "text", "text": text} for text in (opened, "Fix <b>this b first")]),
        )
        load(settings, transcript)

        [(prompts,)] = rows(settings, "select count(dedup_hash) from {raw}.claude_code_prompts")
        assert prompts == 3
        key = customer_key(settings.home, "local")
        assert rows(settings, "select distinct dedup_hash from {raw}.claude_code_prompts") == [
            (key.fingerprint("prompt", "fix b this b first"),)
        ]

    def test_a_prompt_with_an_id_that_is_no_plain_text_is_refused(self, settings, transcript):
        write(transcript, prompt(1, uuid="u\n1"), prompt(2, sessionId="s" * 2000))

        assert counts(load(settings, transcript)) == (2, 0, 0, 2)
        assert rows(settings, "select distinct reason from {raw}.quarantine") == [
            ("an id or a name is not plain text",)
        ]

    def test_nothing_of_a_prompt_or_an_input_is_in_any_raw_table(self, settings, transcript):
        question = tool_use(1)
        question["message"]["content"][0]["input"] = {"canary": "canary"}
        write(
            transcript,
            prompt(1, "canary"),
            prompt(2, [{"type": "text", "text": "Where is the canary?"}]),
            question,
            prompt(3, "canary", uuid="bad\n"),
        )
        assert counts(load(settings, transcript)) == (4, 3, 0, 1)

        tables = rows(
            settings,
            "select table_name from information_schema.tables where table_schema = '{raw}'",
        )
        landed = {name: rows(settings, f"select * from {{raw}}.{name}") for (name,) in tables}
        assert len(landed["content_fingerprints"]) == 3
        assert "canary" not in str(landed).lower()

    def test_the_switch_takes_what_is_volatile_as_one_word(self, settings, transcript, monkeypatch):
        monkeypatch.setenv("FINGERPRINTS__LEAVE_OUT_VOLATILE", "true")
        write(transcript, prompt(1, "Why is T-1042 stuck"), prompt(2, "Why is T-7 stuck"))
        load(settings, transcript)

        assert rows(
            settings,
            "select normalization, shingle_count from {raw}.content_fingerprints",
        ) == [("1-volatile", 3)]

    def test_a_wrong_setting_of_fingerprints_is_named_before_anything_is_read(
        self, settings, transcript, monkeypatch
    ):
        monkeypatch.setenv("CUSTOMERS__LOCAL__FINGERPRINTS__SKETCH_SIZE", "5")
        write(transcript, prompt(1))

        with pytest.raises(MindweaveError, match=r"^fingerprints: sketch_size: [^\n]*$"):
            load(settings, transcript)


def many(folder, files=4, answers=400):
    """Write a tree whose answers are streamed and copied between files; return its truth."""
    chance = random.Random(3)  # noqa: S311  # the same tree every time
    truth = {}
    for file in range(files):
        lines = []
        for number in range(answers):
            name = f"{file}-{number}"
            tokens = chance.randrange(1, 5000)
            streamed = [tool_use(name), tool_use(name), tool_result(name)]
            streamed[0]["message"]["usage"]["output_tokens"] = 1
            streamed[1]["message"]["usage"]["output_tokens"] = tokens
            truth[f"msg_{name}"] = tokens
            lines += streamed
            if file and not number % 9:  # a resumed session copies what another file has
                lines.append(tool_use(f"{file - 1}-{number}"))
                truth[f"msg_{file - 1}-{number}"] = max(187, truth[f"msg_{file - 1}-{number}"])
        write(folder / f"session-{file}.jsonl", *lines, "broken", as_line(answer("cut"))[:90])
    return truth


def totals(settings):
    """Return output tokens by message as the warehouse counts them before any model."""
    return dict(
        rows(
            settings,
            "select message_id, max(output_tokens) from {raw}.claude_code_messages group by all",
        )
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Return a folder of transcripts, and the output tokens of each message in it."""
    folder = tmp_path_factory.mktemp("tree")
    return folder, many(folder)


@pytest.fixture(scope="module")
def clean(tree, tmp_path_factory):
    """Return the settings of a warehouse that one undisturbed load filled."""
    home = tmp_path_factory.mktemp("clean") / "home"
    succeeds(transcripts.mindweave(home, "load", "--path", tree[0]))
    return home_settings(home)


@pytest.fixture
def twin(clean, settings):
    """Return settings with the key of ``clean``, so that fingerprints can be compared."""
    key = Path("keys", "local.key")
    (settings.home / "keys").mkdir(parents=True)
    (settings.home / key).write_bytes((clean.home / key).read_bytes())
    return settings


def assert_same(settings, clean):
    found, expected = (set(rows(each, DISTINCT_ROWS)) for each in (settings, clean))
    assert found == expected


class TestOrderAndRepetition:
    def test_the_truth_is_the_largest_of_what_was_streamed(self, tree, clean):
        assert totals(clean) == tree[1]

    @pytest.mark.parametrize("is_reversed", [False, True])
    def test_file_by_file_in_any_order_lands_the_same(self, twin, tree, clean, is_reversed):
        for path in sorted(tree[0].iterdir(), reverse=is_reversed):
            load(twin, path)

        assert_same(twin, clean)

    def test_a_warehouse_whose_state_folder_is_gone_loads_nothing_twice(self, twin, tree, clean):
        load(twin, tree[0])
        (twin.home / "dlt").rename(twin.home / "lost")

        assert load(twin, tree[0]).load_id is None
        assert_same(twin, clean)


class TestKilledHalfWay:
    @pytest.mark.parametrize(
        "what_is_there",
        [
            "landing/*/quarantine-*",
            "dlt/*/*/normalize/extracted/*",
            "dlt/*/*/load/normalized/*",
            "dlt/*/*/load/normalized/*/started_jobs/*",
            "dlt/*/*/load/normalized/*/completed_jobs/*",
        ],
    )
    def test_a_load_killed_and_run_again_lands_what_a_clean_one_does(
        self, twin, tree, clean, what_is_there
    ):
        killed = Killed(twin.home, "load", "--path", tree[0])
        assert killed.when_there_is(twin.home, what_is_there), "it was done before"

        succeeds(transcripts.mindweave(twin.home, "load", "--path", tree[0]))

        assert_same(twin, clean)
        assert totals(twin) == tree[1]
        assert load(twin, tree[0]).load_id is None, "and nothing is new after it"
        assert not list((twin.home / "landing").iterdir())

    def test_a_package_that_was_damaged_meanwhile_is_read_anew_at_the_second_run_at_the_latest(
        self, twin, tree, clean
    ):
        killed = Killed(twin.home, "load", "--path", tree[0])
        assert killed.when_there_is(twin.home, "dlt/*/*/load/normalized/*")
        [*jobs] = twin.home.glob("dlt/*/*/*/*/*/*_jobs/*.parquet")
        for job in jobs:
            job.write_bytes(b"damaged")

        done = transcripts.mindweave(twin.home, "load", "--path", tree[0])

        assert jobs
        if done.returncode:  # dlt had come to the warehouse before it met the damage
            assert_one_line(done.stderr)
            succeeds(transcripts.mindweave(twin.home, "load", "--path", tree[0]))
        assert_same(twin, clean)

    def test_a_load_killed_while_dlt_tidies_up_between_its_steps_loses_nothing(
        self, twin, tree, clean, monkeypatch
    ):
        def begin(storage, load_id, not_exists_ok=False):
            jobs = Path(storage.storage.make_full_path(load_id), "new_jobs")
            if "extracted" in jobs.parts:
                next(jobs.glob("claude_code_messages.*")).unlink()
                raise KeyboardInterrupt

        with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
            killed.setattr(PackageStorage, "delete_package", begin)
            load(twin, tree[0])

        assert load(twin, tree[0]).load_id is None, "all of it was under way"
        assert_same(twin, clean)
        assert totals(twin) == tree[1]

    def test_loads_killed_after_any_time_and_run_again_build_the_same_marts(
        self, twin, tree, clean
    ):
        for seconds in (1.2, 2.0):
            Killed(twin.home, "load", "--path", tree[0]).after(seconds)
        succeeds(transcripts.mindweave(twin.home, "load", "--path", tree[0]))
        Killed(twin.home, "build").after(5)
        succeeds(transcripts.mindweave(twin.home, "build"))

        assert_same(twin, clean)
        _, truth = tree
        calls = rows(twin, "select output_tokens from {marts}.mcp_calls")
        assert sorted(tokens for [tokens] in calls) == sorted(truth.values())
        assert rows(twin, "select count(*) from {marts}.mcp_tool_calls") == [(len(truth),)]
        assert rows(
            twin, "select sum(total_calls), sum(output_tokens) from {marts}.cost_by_team_daily"
        ) == [(len(truth), sum(truth.values()))]
