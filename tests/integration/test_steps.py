"""What a run does beyond its single steps."""

from pathlib import Path

import pytest

from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError
from flows import steps
from tests import transcripts


def test_a_load_that_nobody_checked_is_checked_by_the_next_run(tmp_path: Path) -> None:
    settings = transcripts.home_settings(tmp_path / "home")
    first = transcripts.write(tmp_path / "a" / "one.jsonl", transcripts.answer(1))
    assert steps.unchecked_loads(settings) == []

    loaded = transcripts.load(settings, first.parent)

    assert steps.unchecked_loads(settings) == [("claude_code", loaded.load_id)]
    outcome = steps.load_check_build(settings, ["claude_code"], {"roots": [{"path": first.parent}]})
    assert outcome.load.results[0].load_id is None  # nothing new
    assert {check.load_id for check in outcome.checks} == {loaded.load_id}
    assert steps.unchecked_loads(settings) == []
    assert outcome.was_built


def test_a_build_that_fails_does_not_hide_what_became_of_the_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: Settings) -> None:
        raise MindweaveError("a node failed")

    monkeypatch.setattr(steps, "build_models", fail)
    monkeypatch.setattr(steps._Helpers, "started_by", lambda self, progress: progress)
    monkeypatch.setattr(steps, "check_loads", lambda *arguments: [])
    settings = transcripts.home_settings(tmp_path / "home")
    path = transcripts.write(tmp_path / "a" / "one.jsonl", transcripts.answer(1))
    monkeypatch.setenv("SOURCES__CLAUDE_CODE__ROOTS", f'[{{path = "{path}"}}]')
    monkeypatch.setenv("SOURCES__LITELLM__BASE_URL", "http://127.0.0.1:9")

    outcome = steps.load_check_build(settings)

    assert [result.source for result in outcome.load.results] == ["claude_code"]
    assert list(outcome.load.failures) == ["litellm"]
    assert str(outcome.failure) == "a node failed"


def test_a_url_that_is_none_is_not_quoted_with_its_password() -> None:
    with pytest.raises(MindweaveError) as caught:
        warehouse_at("postgresql://user:s3cret@host:port/database?x=y").query("select 1")
    assert "s3cret" not in str(caught.value)
