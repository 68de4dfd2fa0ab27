"""A word that stands wherever content can stand is nowhere in what a run leaves or prints."""

import json
from pathlib import Path

import duckdb
import pytest

from tests.transcripts import (
    answer,
    append,
    as_line,
    home_settings,
    mindweave_process,
    tool_result,
    tool_use,
    write,
)

CANARY = "canary7f3a91c2sings"
INPUT = {"file_path": f"/home/{CANARY}/notes.md", "old_string": CANARY, "n": [{"deep": CANARY}]}


def content(number):
    """Return the lines of a session with the canary in every place for content."""
    cwd = f"/home/dana/{CANARY}/shop-api"
    prompt = {
        **tool_result(number),
        "message": {"role": "user", "content": f"Please {CANARY}"},
        "gitBranch": CANARY,
    }
    blocks = [{"type": "text", "text": CANARY}, {"type": "thinking", "thinking": CANARY}]
    spoken = answer(f"{number}-spoken")
    spoken["message"]["content"] = blocks
    mcp, builtin = tool_use(f"{number}-mcp"), tool_use(f"{number}-builtin", "Edit")
    for call in (mcp, builtin):
        call["message"]["content"][0]["input"] = INPUT
    result = tool_result(f"{number}-mcp", is_error=True)
    result["message"]["content"][0]["content"] = [{"type": "text", "text": CANARY}]
    result["toolUseResult"] = {"filePath": f"/home/{CANARY}", "stdout": CANARY}
    inner = tool_use(f"{number}-wrapped")
    inner["message"]["content"][0]["input"] = INPUT
    wrapped = {"type": "progress", "data": {"message": inner}}
    good = [prompt, spoken, mcp, builtin, result, wrapped]
    for record in good:
        record["cwd"] = cwd
    other = [
        {"type": "summary", "summary": CANARY, "leafUuid": CANARY},
        {"type": f"a {CANARY}", CANARY: CANARY},
        {"type": "attachment", "attachment": {"path": f"/home/{CANARY}"}},
    ]
    half = as_line(spoken).replace(CANARY.encode(), CANARY.encode() + rb"\ud83d")
    broken = [
        f"{CANARY} is no JSON",
        as_line(mcp)[:-20],
        json.dumps([CANARY]),
        b"\xff" + CANARY.encode(),
        answer(number, usage={"input_tokens": CANARY}),
        answer(number, timestamp=CANARY),
        answer(number, costUSD=CANARY),
        answer(number, sessionId=f"{CANARY}\n"),
    ]
    return [*good, *other, half, *broken]


def places(folder: Path, word: str) -> list[str]:
    """Return every file name and file content below ``folder`` that holds ``word``."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if word in path.name or (path.is_file() and word.encode() in path.read_bytes())
    ]


def columns(warehouse: str, word: str) -> list[str]:
    """Return every column of every table that holds ``word``: DuckDB compresses its file."""
    found = []
    with duckdb.connect(warehouse, read_only=True) as connection:
        for schema, table, column in connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns"
        ).fetchall():
            query = (
                f'select count(*) from "{schema}"."{table}" '
                f"where contains(cast(\"{column}\" as varchar), '{word}')"
            )
            if connection.execute(query).fetchall() != [(0,)]:
                found.append(f"{schema}.{table}.{column}")
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Load twice, the second time with --debug, and build; return what there is and was said."""
    base = tmp_path_factory.mktemp("canary")
    transcript = write(
        base / "input" / "projects" / f"-home-{CANARY}-shop-api" / "session-1.jsonl", *content(1)
    )
    (base / "user" / "tmp").mkdir(parents=True)
    home = base / "user" / "mindweave"
    warehouse = home_settings(home).warehouse_url

    def command(*arguments):
        return mindweave_process(
            home,
            *arguments,
            CLAUDE_CONFIG_DIR=str(base / "input"),
            TMPDIR=str(base / "user" / "tmp"),
        )

    done = [command("load")]
    append(transcript, *content(2))
    with duckdb.connect(warehouse, read_only=True):  # a package stays behind and waits
        done.append(command("--debug", "load"))
        waiting = places(base / "user", CANARY)
    done += [command("--debug", "load"), command("--debug", "build")]
    return home, done, waiting


def test_the_content_was_read(runs):
    home, done, _ = runs

    assert [each.returncode for each in done] == [0, 1, 0, 0], [each.stderr for each in done]
    with duckdb.connect(home_settings(home).warehouse_url, read_only=True) as connection:
        read = connection.execute(
            "select rows_loaded, rows_ignored, rows_quarantined from customer_local.load_report"
        ).fetchall()
        assert read == [(7, 3, 8)] * 2
        assert connection.execute(
            "select count(*) from customer_local.mcp_tool_calls"
        ).fetchone() == (4,)


def test_the_canary_is_nowhere_in_any_file_of_the_home(runs):
    home, _, waiting = runs

    assert places(home.parent, CANARY) == []
    assert waiting == [], "nor in a package that waits for a locked warehouse"


def test_the_canary_is_nowhere_in_any_column_of_the_warehouse(runs):
    home, _, _ = runs

    assert columns(home_settings(home).warehouse_url, CANARY) == []


def test_the_canary_is_nowhere_in_what_was_printed(runs):
    _, done, _ = runs

    assert [each for each in done if CANARY in each.stdout + each.stderr] == []


def test_the_search_finds_what_may_be_kept(runs):
    home, done, _ = runs

    assert "customer_local_raw.claude_code_messages.project_name" in columns(
        home_settings(home).warehouse_url, "shop-api"
    )
    assert "mindweave/mindweave.duckdb" in places(home.parent, "customer_local_raw")
    assert any("Traceback" in each.stderr for each in done), "one run ended with a stack trace"


def test_a_persons_name_is_nowhere(tmp_path):
    home = tmp_path / "user" / "mindweave"
    home.parent.mkdir()
    transcript = write(tmp_path / "input" / "s.jsonl", *content(1))

    done = mindweave_process(home, "load", "--path", transcript, "--user", CANARY, "--team", "shop")

    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert places(home.parent, CANARY) == []
    assert columns(home_settings(home).warehouse_url, CANARY) == []
