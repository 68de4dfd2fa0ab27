"""The real command on files of other people's making, where they are beside the repository."""

import json
import subprocess
import sys

import pytest

from tests.transcripts import (
    REPOSITORY,
    WITH_DATA_TESTS,
    home_settings,
    mindweave_process,
    rows,
    succeeds,
)

SHARED = REPOSITORY.parent / "shared"
REAL_TRANSCRIPTS = SHARED / "real" / "claude_code"
GENERATOR = SHARED / "tools" / "gen_transcripts.py"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "mindweave"


def load_and_build(home, path):
    """Return the settings, and what was printed."""
    printed = succeeds(mindweave_process(home, "load", "--path", path))
    printed += succeeds(mindweave_process(home, "build", **WITH_DATA_TESTS))
    return home_settings(home), printed


@pytest.mark.skipif(not REAL_TRANSCRIPTS.exists(), reason="no real transcripts beside this clone")
def test_real_transcripts_are_counted_and_their_broken_lines_are_in_the_report(home):
    settings, printed = load_and_build(home, REAL_TRANSCRIPTS)

    [[read, loaded, ignored, quarantined]] = rows(
        settings,
        """
        select rows_read, rows_loaded, rows_ignored, rows_quarantined from {marts}.load_report
        """,
    )
    assert read == loaded + ignored + quarantined
    assert quarantined >= 4
    assert f"Quarantined: {quarantined} lines" in printed
    assert rows(settings, "select count(*) from {raw}.quarantine where reason is not null") == [
        (quarantined,)
    ]
    files = sorted(REAL_TRANSCRIPTS.rglob("*.jsonl"))
    lines = sum(len(file.read_bytes().splitlines()) for file in files)
    assert read == lines
    assert rows(settings, "select count(*) from {marts}.mcp_calls") == [(_answers(files),)]


def _answers(files):
    """Return how many answers a plain reader finds; it stops at nothing that is broken."""
    ids = set()
    for line in (line for file in files for line in file.read_bytes().splitlines()):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("type") == "assistant":
            message = record["message"]
            if message.get("usage") and message.get("model") != "<synthetic>":
                ids.add(message["id"])
    return len(ids)


@pytest.mark.skipif(not GENERATOR.exists(), reason="no generator of transcripts beside this clone")
def test_tokens_by_day_and_model_and_calls_of_tools_equal_the_truth(home, tmp_path):
    generated = tmp_path / "generated"
    subprocess.run([sys.executable, GENERATOR, generated, "--requests", "3000"], check=True)
    truth = json.loads((generated / "truth.json").read_text())

    settings, _ = load_and_build(home, generated)

    names = ("requests", "input_tokens", "output_tokens", "cache_read", "cache_5m", "cache_1h")
    by_day_and_model = {
        day_and_model: dict(zip(names, map(int, measures), strict=True))
        for day_and_model, *measures in rows(
            settings,
            """
            select
                strftime(called_at, '%Y-%m-%d') || '|' || requested_model,
                count(*), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens),
                sum(cache_write_5m_tokens), sum(cache_write_1h_tokens)
            from {marts}.mcp_calls
            group by 1
            """,
        )
    }
    assert by_day_and_model == truth["by_day_model"]
    by_tool = rows(
        settings,
        """
        select 'mcp__' || mcp_name || '__' || tool_name, count(*)
        from {marts}.mcp_tool_calls group by 1
        """,
    )
    assert dict(by_tool) == truth["mcp_calls"]
    assert rows(settings, "select sum(rows_read), sum(files_read) from {marts}.load_report") == [
        (truth["lines"], truth["files"])
    ]
