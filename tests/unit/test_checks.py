import ast
import os
import stat
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dlt_pipelines import expectations
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.expectations import has_suites
from flows import checks

RESULT = checks.CheckResult(
    source="claude_code",
    load_id="l1",
    table_name="claude_code_messages",
    column_name="model",
    expectation="expect_column_values_to_not_be_null",
    severity="critical",
    is_success=True,
    unexpected_count=0,
    observed_value=None,
    checked_at=datetime(2026, 1, 1),
)
LOADS = [("claude_code", "l1")]


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Let another program take the place of the process that checks."""

    def install(script):
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(sys, "executable", str(program))

    return install


def is_running(process):
    try:
        os.kill(process._process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_same_check_of_the_same_load_has_the_same_id_whatever_came_out():
    again = replace(RESULT, is_success=False, unexpected_count=3, checked_at=datetime(2026, 1, 2))
    assert again.check_id == RESULT.check_id


@pytest.mark.parametrize("field", ["load_id", "table_name", "column_name", "expectation"])
def test_another_check_has_another_id(field):
    changed: dict[str, Any] = {field: "other"}
    assert replace(RESULT, **changed).check_id != RESULT.check_id


@pytest.mark.parametrize("source", ["no_such_source", "dotted.name", "../claude_code", ""])
def test_a_source_without_expectations_is_not_checked(source, stand_in):
    stand_in("sleep 60")
    assert not has_suites(source)
    process = checks.ChecksProcess()
    assert process.run("warehouse.duckdb", "customer_local_raw", [(source, "l1")]) == []
    assert not is_running(process)


def test_a_process_that_is_not_needed_is_gone_when_closed(stand_in):
    stand_in("sleep 60")
    with checks.ChecksProcess() as process:
        assert is_running(process)
    assert not is_running(process)
    process.close()


def test_a_process_that_takes_too_long_is_stopped_and_the_error_says_so(stand_in):
    stand_in("sleep 60")
    process = checks.ChecksProcess(time_limit_seconds=0.1)
    with pytest.raises(MindweaveError, match="took over 0 s and was stopped: the rows are loaded"):
        process.run("warehouse.duckdb", "customer_local_raw", LOADS)
    assert not is_running(process)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 3", "3"), ("read line; kill -9 $$", "-9"), ("exit 0", "0")]
)
def test_a_process_that_dies_is_one_line(script, status, stand_in):
    stand_in(script)
    process = checks.ChecksProcess()
    with pytest.raises(MindweaveError) as caught:
        process.run("warehouse.duckdb", "customer_local_raw", LOADS)
    assert f"ended with {status}: the rows are loaded, but not checked" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_password_of_a_warehouse_is_told_by_stdin_only(stand_in, tmp_path):
    stand_in(f'echo "$@" > {tmp_path}/arguments; env > {tmp_path}/environment; exit 1')
    with pytest.raises(MindweaveError) as caught:
        checks.ChecksProcess().run("postgresql://u:s3cret@host/db", "customer_local_raw", LOADS)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in (tmp_path / "arguments").read_text()
    assert "s3cret" not in (tmp_path / "environment").read_text()


def test_no_two_expectations_share_a_name():
    # Great Expectations knows them by name: the one that is imported last would be checked for both
    names = Counter(
        node.name
        for path in Path(expectations.__file__).parent.glob("*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    )

    assert names
    assert [name for name, count in names.items() if count > 1] == []
