"""A source of somebody else: pip-installed, it reaches the marts without a word of ours."""

import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dlt_pipelines.config import PROJECT_DIR

PACKAGE = PROJECT_DIR / "tests" / "fixtures" / "acme_source"
CALLS = [
    {
        "id": "acme-1",
        "at": "2026-05-01T09:00:00Z",
        "who": "dana@example.com",
        "model": "acme-large",
        "prompt_tokens": 120,
        "answer_tokens": 30,
        "price": "0.0123",
        "tools": [{"id": "t-1", "server": "desk", "tool": "get_ticket", "milliseconds": 41}],
    },
    {
        "id": "acme-2",
        "at": "2026-05-01T10:00:00Z",
        "who": "dana@example.com",
        "model": "acme-large",
        "prompt_tokens": "many",
        "answer_tokens": 30,
        "price": 0.5,
    },
]
PUSHED = {key: value for key, value in CALLS[0].items() if key != "tools"} | {"id": "acme-3"}
# pushed as its intake would: in a process that knows the plugin
PUSH = """
import json, sys
from dlt_pipelines.config import read_settings
from tests.pushed import event, push
push(read_settings(), [event(1, "com.acme.answer", json.loads(sys.argv[1]))])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that the package is installed into, beside ours."""
    folder = tmp_path_factory.mktemp("acme")
    source = shutil.copytree(PACKAGE, folder / "source")
    install = ["-m", "uv", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, *install, "--target", str(folder / "site"), str(source)], check=True
    )
    return folder / "site"


@pytest.fixture
def commands(installed, tmp_path):
    log = tmp_path / "log"
    log.mkdir()
    (log / "2026-05-01.json").write_text(json.dumps(CALLS), "utf-8")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(PROJECT_DIR), str(installed)]),
        "MINDWEAVE_HOME": str(tmp_path / "home"),
        "SOURCES__ACME__FOLDER": str(log),
        "SOURCES__ACME__TEAM": "search",
    }
    environment.pop("MINDWEAVE_WAREHOUSE", None)

    def mindweave(*arguments: str) -> str:
        return run(str(Path(sys.executable).with_name("mindweave")), *arguments)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*arguments],
            env=environment,
            cwd=PROJECT_DIR,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def python(*arguments: str) -> str:
        return run(sys.executable, *arguments)

    return mindweave, python


def test_its_calls_reach_the_marts_and_it_has_a_page_of_its_own(commands, tmp_path):
    mindweave, python = commands
    assert "acme 0.3.0" in mindweave("sources")
    assert "Where Acme leaves a file a day." in mindweave("sources", "acme")

    python("-c", PUSH, json.dumps(PUSHED))
    loaded = mindweave("load", "--source", "acme")
    assert "acme: 1 rows, 1 loaded" in loaded
    assert "events: 1 rows, 1 loaded" in loaded
    assert "nothing new" in mindweave("load", "--source", "acme")
    mindweave("build")

    with duckdb.connect(tmp_path / "home" / "mindweave.duckdb", read_only=True) as connection:
        connection.execute("use customer_local")
        calls = connection.sql(
            "select call_id, vendor, team_id, model_id, input_tokens, output_tokens, "
            "total_cost_usd, reported_cost_usd, pricing_status, user_id like 'person_%' "
            "from mcp_calls order by call_id"
        ).fetchall()
        tool_calls = connection.sql(
            "select tool_call_id, call_id, mcp_name, tool_name, latency_ms from mcp_tool_calls"
        ).fetchall()
        unpriced = connection.sql("select model_id, total_calls from unpriced_usage").fetchall()
        quarantine = connection.sql(
            "select source, location, line_number, reason from customer_local_raw.quarantine"
        ).fetchall()
    assert calls == [
        ("acme/acme-1", "acme", "search", "acme-large", 120, 30, None, Decimal("0.0123"))
        + ("unpriced", True),
        ("acme/acme-3", "acme", "search", "acme-large", 120, 30, None, Decimal("0.0123"))
        + ("unpriced", True),
    ]
    assert tool_calls == [("acme/t-1", "acme/acme-1", "desk", "get_ticket", 41)]
    assert unpriced == [("acme-large", 2)]
    assert quarantine == [
        ("acme", "2026-05-01.json", 2, "prompt_tokens: Input should be a valid integer")
    ]
