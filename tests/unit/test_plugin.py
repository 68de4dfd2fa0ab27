from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pydantic import BaseModel

from dlt_pipelines import plugin
from dlt_pipelines.errors import MindweaveError, UsageError
from dlt_pipelines.plugin import SourcePlugin, find_plugin, installed_plugins
from dlt_pipelines.sources.claude_code import ClaudeCodePlugin
from tests.load_context import load_context


class AcmeConfig(BaseModel):
    url: str = "https://example.org"


class AcmePlugin(SourcePlugin[AcmeConfig]):
    name = "acme"
    version = "0.1"
    configuration = AcmeConfig

    def fetch(self, since=None, until=None):
        return []


class Entry:
    name = "acme"

    def load(self):
        return AcmePlugin


def context(tmp_path):
    select_1 = duckdb.sql("select 1").to_arrow_table()
    return load_context(tmp_path, read_raw=lambda sql: select_1, now=datetime(2026, 11, 1))


def test_our_source_comes_in_by_the_entry_point_group_like_anybodys():
    [entry] = entry_points(group="mindweave.sources", name="claude_code")

    assert entry.load() is ClaudeCodePlugin
    assert find_plugin("claude_code") is ClaudeCodePlugin


def test_a_source_of_somebody_else_is_found_by_its_name(monkeypatch):
    monkeypatch.setattr(plugin, "entry_points", lambda group: [Entry()])

    assert installed_plugins() == {"acme": AcmePlugin}
    assert find_plugin("acme") is AcmePlugin


def test_a_source_that_cannot_be_imported_says_so_and_leaves_the_others(monkeypatch):
    class Broken:
        name = "broken"

        def load(self):
            raise ImportError("No module named 'acme'")

    monkeypatch.setattr(plugin, "entry_points", lambda group: [Broken(), Entry()])

    assert installed_plugins() == {"acme": AcmePlugin}
    with pytest.raises(MindweaveError, match="source broken cannot be imported"):
        find_plugin("broken")


def test_an_unknown_source_is_refused_naming_the_installed_ones():
    with pytest.raises(UsageError, match=r"unknown source 'claude'; installed: .*claude_code"):
        find_plugin("claude")


def test_a_source_that_takes_no_events_says_how_it_is_read(tmp_path):
    source = AcmePlugin(AcmeConfig(), context(tmp_path))

    with pytest.raises(MindweaveError, match="source acme takes no events"):
        source.handle_events(pa.table({"event_id": ["1"]}))


def test_a_plugin_must_say_how_it_fetches():
    class Unfinished(SourcePlugin[AcmeConfig]):
        name = "unfinished"

    with pytest.raises(TypeError, match="fetch"):
        Unfinished(AcmeConfig(), context(Path()))  # type: ignore[abstract]


@pytest.mark.parametrize("name", sorted(installed_plugins()))
def test_every_installed_plugin_keeps_the_contract(name):
    found = installed_plugins()[name]

    assert found.name == name
    assert found.version
    schema = found.configuration.model_json_schema()
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False, "a misspelt setting must not go unnoticed"
