"""What lands from files by a mapping of their columns."""

import gzip
import json
import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dlt_pipelines.config import Settings
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.load import load_source
from dlt_pipelines.privacy import customer_key
from tests.contents import prompt_hash, tool_hash
from tests.transcripts import home_settings, rows

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
MODEL = {"constant": "claude-sonnet-4-6"}
VENDOR = {"constant": "anthropic"}
CALLS = {
    "vendor": VENDOR,
    "requested_model": MODEL,
    "observed_at": "time",
    "input_tokens": "in",
    "output_tokens": "out",
}


@pytest.fixture
def settings(tmp_path):
    return home_settings(tmp_path / "home")


def load(settings, path, columns=CALLS, kind="calls", **more):
    files = {"path": str(path), "kind": kind, "columns": columns, **more}
    return load_source(settings, "csv", {"files": [files]})


def counts(result):
    found = result.counts
    assert found.rows_read == found.rows_loaded + found.rows_ignored + found.rows_quarantined
    return found.rows_loaded, found.rows_ignored, found.rows_quarantined


def write(path, *lines, encoding="utf-8"):
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))  # however coarse the clock is
    return path


def quarantine(settings):
    return rows(
        settings, "select line_number, reason from {raw}.quarantine order by line_number, reason"
    )


def calls(settings, columns="input_tokens, output_tokens"):
    """Return what counts: of each row the one that landed last."""
    return rows(
        settings,
        f"""
        select {columns}
        from {{raw}}.call_events as calls
        inner join {{raw}}.loads as loads using (load_id)
        qualify row_number() over (partition by observation_id order by finished_at desc) = 1
        order by observation_id
        """,
    )


def real(name):
    path = REAL / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this clone")
    return path


class TestRealTraces:
    def test_the_traces_of_azure_load_whole(self, settings):
        columns = {
            **CALLS,
            "observed_at": "TIMESTAMP",
            "input_tokens": "ContextTokens",
            "output_tokens": "GeneratedTokens",
        }
        real("azure_llm_conv_2023.csv")
        path = real("azure_llm_code_2023.csv").with_name("azure_llm_*_2023.csv")

        assert counts(load(settings, path, columns, name="azure")) == (28_185, 0, 0)
        assert rows(
            settings,
            "select source, count(distinct observation_id), sum(input_tokens), "
            "sum(output_tokens), min(observed_at) from {raw}.call_events group by all",
        ) == [("azure", 28_185, 40_421_844, 4_334_561, datetime(2023, 11, 16, 18, 15, 46, 680590))]
        assert load(settings, path, columns, name="azure").load_id is None

    def test_the_trace_of_mooncake_has_a_clock_of_its_own(self, settings):
        columns = {
            **CALLS,
            "observed_at": {
                "column": "timestamp",
                "time": "epoch_ms",
                "start_at": "2024-06-01T02:00:00+02:00",
            },
            "input_tokens": "input_length",
            "output_tokens": "output_length",
        }
        path = real("mooncake_conversation.jsonl")

        assert counts(load(settings, path, columns, team="kimi")) == (12_031, 0, 0)
        assert rows(
            settings,
            "select team_id, sum(input_tokens), sum(output_tokens), min(observed_at), "
            "max(observed_at) from {raw}.call_events group by all",
        ) == [
            (
                *("kimi", 144_793_823, 4_122_048, datetime(2024, 6, 1)),
                datetime(2024, 6, 1, 0, 58, 56, 999000),
            )
        ]


def test_a_batch_of_100_requests_bills_90(settings, tmp_path):
    words = ["succeeded"] * 90 + ["errored"] * 6 + ["canceled"] * 2 + ["expired"] * 2
    lines = [
        f"req-{n},{word},{'2000,500' if word == 'succeeded' else ','}"
        for n, word in enumerate(words)
    ]
    path = write(tmp_path / "batch.csv", "custom_id,result,in,out", *lines)
    columns = {
        **CALLS,
        "observed_at": {"constant": "2026-05-01T10:00:00Z"},
        "record_uuid": "custom_id",
        "service_tier": {"constant": "batch"},
        "status": {
            "column": "result",
            "values": {
                "succeeded": "success",
                "errored": "error",
                "canceled": "incomplete",
                "expired": "incomplete",
            },
        },
    }

    assert counts(load(settings, path, columns)) == (100, 0, 0)
    assert rows(
        settings,
        "select status, service_tier, count(*), sum(input_tokens), sum(output_tokens) "
        "from {raw}.call_events group by all order by all",
    ) == [
        ("error", "batch", 6, 0, 0),
        ("incomplete", "batch", 4, 0, 0),
        ("success", "batch", 90, 180_000, 45_000),
    ]


class TestTransforms:
    def test_cents_and_a_decimal_comma_are_exact(self, settings, tmp_path):
        path = write(
            tmp_path / "bill.csv",
            "day;amount;what",
            "01.08.2026;41280,000000;tokens",
            "02.08.2026;0,1;",
        )
        columns = {
            "vendor": VENDOR,
            "bucket_start_at": {"column": "day", "time": "%d.%m.%Y"},
            "net_cost_usd": {"column": "amount", "factor": 0.01},
            "cost_type": {"column": "what", "default": "other"},
        }
        files = {"delimiter": ";", "decimal": ",", "time_zone": "Europe/Berlin", "report": "bill"}

        assert counts(load(settings, path, columns, kind="costs", **files)) == (2, 0, 0)
        assert rows(
            settings,
            "select report, bucket_start_at, bucket_end_at, net_cost_usd, cost_type, currency, "
            "is_empty from {raw}.cost_events order by all",
        ) == [
            (
                *("bill", datetime(2026, 7, 31, 22), datetime(2026, 8, 1, 22)),
                *(Decimal("412.8"), "tokens", "USD", False),
            ),
            (
                *("bill", datetime(2026, 8, 1, 22), datetime(2026, 8, 2, 22)),
                *(Decimal("0.001"), "other", "USD", False),
            ),
        ]

    def test_input_that_includes_the_cache_is_split(self, settings, tmp_path):
        path = write(
            tmp_path / "calls.csv",
            "time,in,out,read,write",
            "2026-05-01T00:00:00Z,45000,1000,40000,3000",
            "2026-05-01T00:00:00Z,10,1000,40000,3000",
        )
        columns = {**CALLS, "cache_read_tokens": "read", "cache_write_5m_tokens": "write"}

        load(settings, path, columns, input_includes_cache=True)

        assert calls(settings, "input_tokens, cache_read_tokens, cache_write_5m_tokens") == [
            (2000, 40000, 3000)
        ]
        [(line, reason)] = quarantine(settings)
        assert (line, reason.split(":")[0]) == (3, "input_tokens")

    def test_people_and_inputs_of_tools_do_not_land(self, settings, tmp_path):
        path = tmp_path / "tools.jsonl"
        tool_input = {"q": "secret " * 300}
        record = {
            "at": 1785751200,
            "who": "Dana@Example.com",
            "call": {"server": "tickets", "tool": "get", "input": tool_input},
        }
        path.write_text(json.dumps(record) + "\n")
        columns = {
            "observed_at": {"column": "at", "time": "epoch_s"},
            "user_id": "who",
            "mcp_name": "$.call.server",
            "tool_name": "$.call.tool",
            "input_fingerprint": "$.call.input",
        }

        load(settings, path, columns, kind="tool_calls")

        key = customer_key(settings.home, "local")
        wanted = tool_hash(settings, "mcp__tickets__get", json.dumps(tool_input))
        assert rows(
            settings,
            "select observed_at, user_id, mcp_name, tool_name, input_fingerprint, status "
            "from {raw}.tool_call_events",
        ) == [
            (
                *(datetime(2026, 8, 3, 10), key.person("dana@example.com"), "tickets", "get"),
                *(wanted, "success"),
            )
        ]
        assert rows(
            settings, "select source, content_kind, dedup_hash from {raw}.content_fingerprints"
        ) == [("csv", "tool_input", wanted)]

    def test_prompts_land_as_fingerprints(self, settings, tmp_path):
        path = tmp_path / "calls.csv"
        asked = ('a,2026-05-01,"Secret, why?"', "b,2026-05-01,SECRET why", "c,2026-05-01,")
        write(path, "id,time,asked", *asked)
        columns = {
            "vendor": {"constant": "anthropic"},
            "requested_model": {"constant": "claude-opus-5"},
            "message_id": "id",
            "observed_at": "time",
            "prompt": "asked",
        }
        load(settings, path, columns)

        wanted = prompt_hash(settings, "secret why")
        assert rows(
            settings, "select message_id, dedup_hash from {raw}.call_events order by all"
        ) == [("a", wanted), ("b", wanted), ("c", None)]
        assert "secret" not in str(rows(settings, "select * from {raw}.call_events")).lower()
        assert rows(
            settings, "select source, content_kind, dedup_hash from {raw}.content_fingerprints"
        ) == [("csv", "prompt", wanted)]
        with pytest.raises(MindweaveError, match=r"columns\.dedup_hash is no column of calls"):
            load(settings, path, {**columns, "dedup_hash": "asked"})


class TestChanges:
    def test_a_changed_file_replaces_what_it_said(self, settings, tmp_path):
        path = tmp_path / "calls.csv"
        header, first, second, third = (
            "id,time,in,out",
            "a,2026-05-01,1,1",
            "b,2026-05-01,2,2",
            "c,2026-05-01,3,3",
        )
        columns = {**CALLS, "message_id": "id"}
        write(path, header, first, second, third, first)
        assert counts(load(settings, path, columns)) == (3, 1, 0)

        os.utime(path)
        assert load(settings, path, columns).load_id is None  # touched

        write(path, header, third, "b,2026-05-01,20,2", "d,2026-05-01,4,4")
        assert counts(load(settings, path, columns)) == (3, 1, 0)
        said = "message_id, input_tokens, status"
        assert calls(settings, said) == [
            ("a", 0, "incomplete"),
            ("b", 20, "success"),
            ("c", 3, "success"),
            ("d", 4, "success"),
        ]

        write(path, header, third, "b,2026-05-01,20,2", "d,2026-05-01,5,4")
        assert counts(load(settings, path, columns)) == (1, 2, 0)

    @pytest.mark.parametrize("engine", ["postgres_database", "clickhouse"])
    def test_other_warehouses_know_what_a_file_said(self, request, tmp_path, engine):
        settings = Settings(tmp_path / "home", request.getfixturevalue(engine), "local")
        path = tmp_path / "calls.csv"
        lines = ["time,in,out,cost", "2026-05-01 12:00:00.123456,1,1,0.1", "2026-05-01,2,2,0.2"]
        columns = {**CALLS, "reported_cost_usd": "cost"}
        write(path, *lines)
        load(settings, path, columns, time_zone="Europe/Berlin")
        write(path, *lines, "2026-05-01,3,3,0.3")

        assert counts(load(settings, path, columns, time_zone="Europe/Berlin")) == (1, 2, 0)
        assert load(settings, path, columns, time_zone="Europe/Berlin").load_id is None

    def test_a_changed_bucket_is_replaced_as_a_whole(self, settings, tmp_path):
        path = tmp_path / "usage.csv"
        columns = {
            "vendor": VENDOR,
            "bucket_start_at": "day",
            "requested_model": "model",
            "input_tokens": "in",
        }
        day = "2026-05-0{},{},{}".format
        write(path, "day,model,in", day(1, "x", 1), day(1, "y", 2), day(2, "x", 3), day(3, "x", 4))
        load(settings, path, columns, kind="usage_buckets")
        write(path, "day,model,in", day(1, "y", 2), day(1, "x", 1), day(2, "x", 30))
        load(settings, path, columns, kind="usage_buckets")

        assert rows(
            settings,
            """
            select day(bucket_start_at), requested_model, input_tokens, is_empty
            from {raw}.usage_bucket_events
            inner join {raw}.loads as loads using (load_id)
            qualify dense_rank() over (partition by bucket_key order by finished_at desc) = 1
            order by all
            """,
        ) == [(1, "x", 1, False), (1, "y", 2, False), (2, "x", 30, False), (3, None, None, True)]
        assert rows(settings, "select count(*) from {raw}.usage_bucket_events") == [(6,)]
        assert load(settings, path, columns, kind="usage_buckets").load_id is None

    def test_a_copy_of_a_file_says_nothing_new(self, settings, tmp_path):
        lines = ("time,in,out", "2026-05-01,1,1")
        write(tmp_path / "a.csv", *lines)
        write(tmp_path / "b.csv", *lines)

        load(settings, tmp_path / "*.csv")

        assert calls(settings) == [(1, 1)]


class TestBadInput:
    def test_rows_that_do_not_fit_are_set_aside_with_their_line(self, settings, tmp_path):
        path = write(
            tmp_path / "calls.csv",
            "time,in,out,cost",
            "2026-05-01,1,1,0.5",
            "2026-05-01,1",
            "2026-05-01,1.5,1,0.5",
            "2026-05-01,1,1,a lot",
            "2026-05-01,,1,0.5",
            "never,1,1,0.5",
            "2026-05-01,1,1,0.5,9",
            "2026-05-01,-1,1,NaN",
            "1026-05-01,1,1,1",
            "2026-05-01,9,9,1e-2",
        )
        columns = {**CALLS, "reported_cost_usd": "cost"}

        assert counts(load(settings, path, columns)) == (2, 0, 8)
        assert quarantine(settings) == [
            (3, "the row has fewer fields than the header"),
            (4, "input_tokens: is not a whole number"),
            (5, "reported_cost_usd: is not an amount"),
            (6, "input_tokens: is missing"),
            (7, "observed_at: is not a time"),
            (8, "the row has more fields than the header"),
            (9, "input_tokens: is not a whole number"),
            (10, "observed_at: is not a time"),
        ]
        costs = "reported_cost_usd, observation_id[26:]"
        assert calls(settings, costs) == [(Decimal("0.01"), "11"), (Decimal("0.5"), "2")]

    def test_broken_lines_of_json_are_set_aside(self, settings, tmp_path):
        good = '{"time": "2026-05-01", "in": 1, "out": 1}'
        path = write(tmp_path / "calls.jsonl", good, '{"time": "2026-0', "[1]", "5", good)

        assert counts(load(settings, path)) == (2, 0, 3)
        assert quarantine(settings) == [
            (line, "the line is not a JSON object") for line in (2, 3, 4)
        ]

    @pytest.mark.parametrize("text", [b"", b"\n", b"time,in,out\n", b"\xef\xbb\xbftime,in,out\r\n"])
    def test_a_file_without_rows_says_nothing(self, settings, tmp_path, text):
        path = tmp_path / "calls.csv"
        path.write_bytes(text)

        assert counts(load(settings, path)) == (0, 0, 0)

    def test_a_column_that_is_missing_is_named_in_one_line(self, settings, tmp_path):
        path = write(tmp_path / "calls.csv", "time,in", "2026-05-01,1")
        with pytest.raises(MindweaveError, match="calls.csv has no column 'out'") as failure:
            load(settings, path)
        assert "\n" not in str(failure.value) and "columns.output_tokens" in str(failure.value)

        path = write(tmp_path / "calls.jsonl", '{"time": "2026-05-01", "in": 1}')
        with pytest.raises(MindweaveError, match="no line of calls.jsonl has 'out'"):
            load(settings, path)
        with pytest.raises(MindweaveError, match="there is no file"):
            load(settings, tmp_path / "none.csv")

    @pytest.mark.parametrize(
        ("columns", "said"),
        [
            ({**CALLS, "no_such": "x"}, "columns.no_such is no column of calls"),
            ({"vendor": VENDOR}, "columns.requested_model is needed"),
            ({**CALLS, "vendor": {}}, "name a column or a constant"),
        ],
    )
    def test_a_mapping_that_cannot_be_right_is_refused(self, settings, tmp_path, columns, said):
        with pytest.raises(MindweaveError, match=said):
            load(settings, tmp_path / "x.csv", columns)

    def test_encodings(self, settings, tmp_path):
        lines = ("time,in,out,who", "2026-05-01,1,1,x", "2026-05-01,2,2,Inés")
        columns = {**CALLS, "project": "who"}
        latin = write(tmp_path / "latin.csv", *lines, encoding="latin-1")

        load(settings, latin, columns)
        assert quarantine(settings) == [(3, "the row is not in the encoding of the file")]
        assert calls(settings, "project") == [("x",)]

        load(settings, latin, columns, encoding="latin-1")
        assert calls(settings, "project") == [("x",), ("Inés",)]

        wide = write(tmp_path / "wide.csv", *lines, encoding="utf-16")
        load(settings, wide, columns)
        assert (None, "the file is UTF-16: set encoding, or convert it to UTF-8") in quarantine(
            settings
        )

    def test_a_file_that_was_cut_short_keeps_what_it_said_before(self, settings, tmp_path):
        path = tmp_path / "calls.csv.gz"
        lines = [f"2026-05-01,{n},1" for n in range(1000)]
        packed = gzip.compress("\n".join(["time,in,out", *lines]).encode())
        path.write_bytes(packed)
        assert load(settings, path).counts.rows_loaded == 1000

        path.write_bytes(packed[: len(packed) // 2])
        assert counts(load(settings, path)) == (0, 0, 1)
        assert quarantine(settings) == [(None, "the file is cut short")]
        assert len(calls(settings)) == 1000
        assert load(settings, path).load_id is None

    def test_huge_fields_and_open_quotes(self, settings, tmp_path):
        path = write(
            tmp_path / "calls.csv",
            "time,in,out,who",
            f"2026-05-01,1,1,{'x' * 17_000_000}",
            f"2026-05-01,2,2,{'x' * 5000}",
            '2026-05-01,3,3,"a',
            'b"',
            "2026-05-01,4,4,fine",
            '2026-05-01,5,5,"open',
        )

        load(settings, path, {**CALLS, "project": "who"})

        assert calls(settings, "input_tokens") == [(4,)]
        assert [reason for _, reason in quarantine(settings)] == [
            "the row is longer than 16 MiB",
            "project: is longer than 1000 characters or not plain text",
            "project: is longer than 1000 characters or not plain text",
            "a quote is not closed",
        ]
