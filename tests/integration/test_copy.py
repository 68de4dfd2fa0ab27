"""Copying what is loaded to another warehouse, and comparing what both show."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dlt_pipelines import batches, copy_warehouse
from dlt_pipelines.config import Settings
from dlt_pipelines.copy_warehouse import LOADS_TABLE, copy_raw
from dlt_pipelines.destinations import MissingRelationError, warehouse_at
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.landing import RawTable
from dlt_pipelines.load import load_rows
from flows.locks import exclusive_run
from tests import transcripts

TABLES = (
    *("claude_code_files", "claude_code_messages", "claude_code_passes", "claude_code_prompts"),
    *("claude_code_record_types", "claude_code_tool_results", "claude_code_tool_uses"),
    *("content_fingerprints", "quarantine", "loads"),
    *("expectation_results", "month_closes", LOADS_TABLE),
)

EDGES = RawTable(
    "edges",
    {
        **{"load_id": "text", "note": "text", "calls": "bigint", "share": "double"},
        **{"is_known": "bool", "seen_at": "timestamp", "cost_usd": "usd"},
    },
)
EDGE_ROWS: list[dict[str, Any]] = [
    {
        "load_id": "of-edges",
        "note": note,
        "calls": calls,
        "share": share,
        "is_known": is_known,
        "seen_at": seen_at,
        "cost_usd": cost_usd,
    }
    for note, calls, share, is_known, seen_at, cost_usd in (
        ("", 0, 0.1, True, datetime(2026, 3, 29, 1, 59, 59, 999_999), Decimal(0)),
        (None, None, None, None, None, None),
        ('"quoted", and\nbroken\r\n', 2**63 - 1, 5e-324, False, datetime(1969, 12, 31), None),
        ("\\N", -(2**63) + 1, -1e300, True, datetime(2026, 10, 25, 2, 30), Decimal("-0.5")),
        (
            "NULL 'é' 🧵 \\",
            *(1, 1 / 3, True, datetime(2099, 12, 31, 23, 59, 59, 1)),
            Decimal("12345678901234567890123.123456789012345"),
        ),
    )
]


@pytest.fixture(params=["postgres_database", "clickhouse_cluster"])
def server(request: pytest.FixtureRequest) -> str:
    """Give an empty warehouse of each kind of server, for what each does in its own way."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture(scope="module")
def loaded_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    """Load twice, and rows with every edge of a type; build; return where, and what was read."""
    folder = tmp_path_factory.mktemp("loaded")
    settings = transcripts.home_settings(folder / "home")
    source = transcripts.write(
        folder / "t" / "s.jsonl",
        transcripts.answer(1),
        transcripts.tool_use(2),
        transcripts.tool_result(2),
        transcripts.answer(5, usage={"iterations": [transcripts.one_pass("compaction")]}),
        b"not json",
    )
    transcripts.load(settings, folder / "t")
    transcripts.append(source, transcripts.answer(3), transcripts.answer(4))
    transcripts.load(settings, folder / "t")
    load_rows(settings, "edges", EDGES, EDGE_ROWS)
    transcripts.succeeds(transcripts.mindweave(settings.home, "build"))
    return settings, folder / "t"


@pytest.fixture
def loaded(loaded_once: tuple[Settings, Path], tmp_path: Path) -> Settings:
    """Give a DuckDB warehouse of its own to one test."""
    shutil.copytree(loaded_once[0].home, tmp_path / "home")
    return transcripts.home_settings(tmp_path / "home")


def at(settings: Settings, url: str | Path) -> Settings:
    """Return the settings with another warehouse."""
    return Settings(settings.home, str(url), settings.customer)


def raw_rows(settings: Settings, table: str) -> list[str]:
    """Return all rows of a raw table, in an order that does not depend on the engine."""
    warehouse = warehouse_at(settings.warehouse_url)
    with batches.read_batches(warehouse, f"select * from {settings.raw_schema}.{table}") as rows:
        found = rows.read_all()
    return sorted(repr(sorted(row.items())) for row in found.to_pylist())


def copy_all(source: Settings, target: Settings) -> dict[str, int]:
    """Copy in this process; return how many rows of each table were."""
    return {table.name: table.copied for table in copy_raw(source, target)}


def loads_that_count(settings: Settings) -> int:
    try:
        return len(raw_rows(settings, LOADS_TABLE))
    except MissingRelationError:
        return 0


@contextmanager
def failing_after(batch_count: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let reading end with an error after so many batches of one row each."""
    left = batch_count

    def failing(rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        nonlocal left
        for batch in rows:
            for number in range(batch.num_rows):
                if left == 0:
                    raise RuntimeError("the machine went down")
                left -= 1
                yield batch.slice(number, 1)

    @contextmanager
    def read_batches(*arguments: Any) -> Iterator[pa.RecordBatchReader]:
        with batches.read_batches(*arguments) as rows:
            yield pa.RecordBatchReader.from_batches(rows.schema, failing(rows))

    with monkeypatch.context() as patched:
        patched.setattr(copy_warehouse, "read_batches", read_batches)
        yield


class TestCopying:
    def test_every_row_and_value_is_the_same_there_and_back(
        self, loaded: Settings, server: str, tmp_path: Path
    ) -> None:
        there, back = at(loaded, server), at(loaded, tmp_path / "back.duckdb")
        copy_all(loaded, there)
        copy_all(there, back)
        for table in (*TABLES, "edges"):
            rows = raw_rows(loaded, table)
            assert raw_rows(there, table) == rows
            assert raw_rows(back, table) == rows
        assert len(raw_rows(back, "edges")) == len(EDGE_ROWS)

    def test_copying_again_adds_only_what_is_new(
        self, loaded: Settings, server: str, tmp_path: Path
    ) -> None:
        there = at(loaded, server)
        copy_all(loaded, there)
        assert set(copy_all(loaded, there).values()) == {0}

        transcripts.write(tmp_path / "t" / "new.jsonl", transcripts.answer(5))
        transcripts.load(loaded, tmp_path / "t")
        copied = copy_all(loaded, there)

        assert {name: rows for name, rows in copied.items() if rows} == {
            **{"claude_code_files": 1, "claude_code_messages": 1, "claude_code_record_types": 1},
            **{"loads": 1, LOADS_TABLE: 1},
        }
        for table in TABLES:
            assert raw_rows(there, table) == raw_rows(loaded, table)

    def test_rows_that_are_missing_there_are_copied_again(
        self, loaded: Settings, postgres_database: str
    ) -> None:
        there = at(loaded, postgres_database)
        copy_all(loaded, there)
        warehouse, relation = (
            warehouse_at(postgres_database),
            f"{there.raw_schema}.claude_code_messages",
        )
        with batches.read_batches(warehouse, f"select * from {relation} where 1 = 0") as none:
            batches.replace_rows(warehouse, relation, "1 = 1", none)
        assert raw_rows(there, "claude_code_messages") == []

        messages = raw_rows(loaded, "claude_code_messages")
        assert copy_all(loaded, there)["claude_code_messages"] == len(messages) > 0
        assert raw_rows(there, "claude_code_messages") == messages

    @pytest.mark.parametrize("batch_count", [0, 14])
    def test_a_copy_that_broke_and_is_run_again_is_whole_and_no_load_counted_before(
        self,
        loaded: Settings,
        server: str,
        batch_count: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        there = at(loaded, server)
        with failing_after(batch_count, monkeypatch), pytest.raises(MindweaveError):
            copy_all(loaded, there)
        assert loads_that_count(there) == 0

        copy_all(loaded, there)
        for table in (*TABLES, "edges"):
            assert raw_rows(there, table) == raw_rows(loaded, table)

    def test_loads_that_only_the_target_has_stay(
        self, loaded: Settings, postgres_database: str, tmp_path: Path
    ) -> None:
        there = at(loaded, postgres_database)
        transcripts.write(tmp_path / "other" / "s.jsonl", transcripts.answer("elsewhere"))
        transcripts.load(there, tmp_path / "other")
        copy_all(loaded, there)
        loads = [table for table in (loaded, there) for _ in raw_rows(table, "loads")]
        assert loads.count(there) == loads.count(loaded) + 1

    def test_other_customers_are_not_copied(
        self, loaded: Settings, postgres_database: str, tmp_path: Path
    ) -> None:
        other = Settings(loaded.home, loaded.warehouse_url, "acme")
        transcripts.write(tmp_path / "t" / "s.jsonl", transcripts.answer(1))
        transcripts.load(other, tmp_path / "t")
        copy_all(loaded, at(loaded, postgres_database))
        with pytest.raises(MissingRelationError):
            raw_rows(at(other, postgres_database), "loads")

    def test_rows_that_changed_on_the_way_are_an_error(
        self, loaded: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        replace_rows = batches.replace_rows

        def losing_a_row(warehouse: Any, relation: str, condition: str, rows: Any) -> None:
            less = rows.read_all().slice(1).to_reader()
            replace_rows(warehouse, relation, condition, less)

        monkeypatch.setattr(copy_warehouse, "replace_rows", losing_a_row)
        there = at(loaded, tmp_path / "there.duckdb")
        with pytest.raises(MindweaveError, match="claude_code_files is not the same"):
            copy_all(loaded, there)
        assert loads_that_count(there) == 0


class TestTheCommand:
    def test_after_copying_both_build_the_same_and_loading_goes_on_there(
        self, loaded: Settings, loaded_once: tuple[Settings, Path], server: str, tmp_path: Path
    ) -> None:
        home, there = loaded.home, {"MINDWEAVE_WAREHOUSE": server}
        printed = transcripts.succeeds(transcripts.mindweave(home, "copy", "--to", server))
        assert "claude_code_messages: 5 rows, 5 copied\n" in printed
        transcripts.succeeds(transcripts.mindweave(home, "build", **there))
        compared = transcripts.succeeds(transcripts.mindweave(home, "compare", "--to", server))
        assert "mcp_calls: equal, 5 rows\n" in compared
        assert "differs" not in compared

        load = ("load", "--path", loaded_once[1])
        again = transcripts.succeeds(transcripts.mindweave(home, *load, **there))
        assert again == "claude_code: nothing new\n"
        new = transcripts.write(tmp_path / "t" / "new.jsonl", transcripts.answer(5))
        load = ("load", "--path", new)
        more = transcripts.succeeds(transcripts.mindweave(home, *load, **there))
        assert "1 lines of 1 files, 1 loaded" in more

    def test_killed_after_any_time_and_run_again_it_is_whole(
        self, loaded: Settings, postgres_database: str
    ) -> None:
        environment = transcripts.command_environment(loaded.home)
        command = [str(transcripts.MINDWEAVE), "copy", "--to", postgres_database]
        for seconds in (1.2, 1.6, 2.0, 2.4):
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
            )
            time.sleep(seconds)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        deadline = time.monotonic() + 60
        while (
            "another run"
            in (
                done := transcripts.mindweave(loaded.home, "copy", "--to", postgres_database)
            ).stderr
        ):
            assert time.monotonic() < deadline, "the killed copy's lock was never let go"
        transcripts.succeeds(done)
        for table in (*TABLES, "edges"):
            assert raw_rows(at(loaded, postgres_database), table) == raw_rows(loaded, table)

    def test_it_waits_for_nobody_where_a_run_writes_to_the_target(
        self, loaded: Settings, postgres_database: str
    ) -> None:
        with exclusive_run(at(loaded, postgres_database)):
            refused = transcripts.mindweave(loaded.home, "copy", "--to", postgres_database)
        assert refused.returncode == 1
        transcripts.assert_one_line(refused.stderr)
        assert "another run of customer local is writing to" in refused.stderr

    @pytest.mark.parametrize(
        ("arguments", "status", "message"),
        [
            (("--to", "{home}/mindweave.duckdb"), 2, "MINDWEAVE_WAREHOUSE already: name another"),
            (("--to", "mysql://somewhere"), 2, "--to: unknown scheme 'mysql'"),
            (("--to", "postgresql://me:hushhush@127.0.0.1:1/x"), 1, "cannot reach postgresql://"),
            (("--to", "clickhouse://me:hushhush@127.0.0.1:1/"), 1, "cannot reach clickhouse://"),
            (("--to", "{home}/b.duckdb", "--customer", "nobody"), 1, "there is nothing to copy"),
        ],
    )
    def test_what_cannot_be_is_said_in_one_line(
        self, loaded: Settings, arguments: tuple[str, ...], status: int, message: str
    ) -> None:
        words = [word.format(home=loaded.home) for word in arguments]
        refused = transcripts.mindweave(loaded.home, "copy", *words)
        assert refused.returncode == status, refused.stderr
        transcripts.assert_one_line(refused.stderr)
        assert message in refused.stderr
        assert "hushhush" not in refused.stderr
        assert not (loaded.home / "b.duckdb").exists()
