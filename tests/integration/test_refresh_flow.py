"""The hourly flow under a real Prefect server; the site, which takes a minute, is tested apart."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

from prefect.testing.utilities import prefect_test_harness

from dlt_pipelines.config import Settings, read_settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError, UnreachableError
from dlt_pipelines.load import load_source
from flows import refresh, steps
from flows.locks import exclusive_run
from tests import transcripts


@pytest.fixture(scope="module", autouse=True)
def prefect_server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    claude = tmp_path / "claude"
    transcripts.write(claude / "projects" / "-p" / "s.jsonl", transcripts.answer())
    monkeypatch.setenv("MINDWEAVE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MINDWEAVE_WAREHOUSE", raising=False)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(claude))
    monkeypatch.setattr(steps, "publish_site", lambda settings: tmp_path / "site")
    monkeypatch.setattr(refresh.load, "retry_delay_seconds", [0, 0, 0])
    return tmp_path / "home"


def calls(customer: str) -> int:
    settings = read_settings(customer)
    rows = warehouse_at(settings.warehouse_url).query(
        f"select count(*) as calls from {settings.marts_schema}.mcp_calls"
    )
    return int(rows.to_pylist()[0]["calls"])


def test_the_flow_loads_checks_and_builds_and_publishes_only_where_data_changed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[str] = []

    def publish_site(settings: Settings) -> Path:
        site = steps.site_folder(settings)
        if outcomes:  # the first time fails
            site.mkdir(parents=True, exist_ok=True)
            os.utime(site)
        outcomes.append("published" if site.exists() else "failed")
        if not site.exists():
            raise MindweaveError("no room for the site")
        return site

    monkeypatch.setattr(steps, "publish_site", publish_site)
    with pytest.raises(MindweaveError, match="no room"):
        refresh.refresh("local")
    assert calls("local") == 1
    refresh.refresh("local")
    assert outcomes == ["failed", "published"]
    refresh.refresh("local")
    assert outcomes == ["failed", "published"]

    # a build takes long: this one only leaves what a build leaves
    (state,) = (home / "dbt" / "local").glob("built-*.json")
    monkeypatch.setattr(steps, "build_models", lambda settings: os.utime(state))
    transcripts.write(tmp_path / "claude" / "projects" / "-p" / "t.jsonl", transcripts.answer(2))
    refresh.refresh("local")
    assert outcomes == ["failed", "published", "published"]


def test_a_broken_source_does_not_stop_the_others_and_the_run_ends_red(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "configured_sources", lambda customer: ["broken", "claude_code"])
    with pytest.raises(MindweaveError, match="sources failed: broken"):
        refresh.refresh("local")
    assert calls("local") == 1


def test_a_server_that_does_not_answer_is_tried_again_and_a_wrong_setting_is_not(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[MindweaveError] = [UnreachableError("no answer"), UnreachableError("no answer")]
    tried = []

    def flaky(settings, source, *more):
        tried.append(source)
        if errors:
            raise errors.pop()
        return load_source(settings, source, *more)

    monkeypatch.setattr(steps, "load_source", flaky)
    refresh.refresh("local")
    assert len(tried) == 3

    tried.clear()
    errors.append(MindweaveError("a setting is wrong"))
    with pytest.raises(MindweaveError, match="sources failed"):
        refresh.refresh("local")
    assert len(tried) == 1


def test_a_second_run_of_the_same_warehouse_says_so(home: Path) -> None:
    with (
        exclusive_run(read_settings("local")),
        pytest.raises(MindweaveError, match="another run"),
    ):
        refresh.refresh("local")
