"""Which schemas the gate takes from sources: none that would keep what it is to hide."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from pydantic import BaseModel

from dlt_pipelines.cloud_events import received
from dlt_pipelines.config import Settings
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.event_gate import RefusedError, event_types, open_gate
from dlt_pipelines.plugin import SourcePlugin, installed_plugins
from tests.contents import prompt_hash, tool_hash

CALL = "com.example.call"


def source(name_, schema, type_=CALL):
    class Plugin(SourcePlugin):
        name = name_
        version = "1.0.0"
        configuration = BaseModel
        event_types = {type_: schema}

        def fetch(self, since=None, until=None):
            return []

    return Plugin


PERSON = {"type": "string", "x-privacy": "person"}


def test_two_sources_may_take_the_same_type_with_the_same_schema():
    plugins = [source("one", {"properties": {"who": PERSON}}) for _ in range(2)]
    assert list(event_types(plugins)) == [CALL]


def test_two_sources_that_mean_other_things_by_a_type_are_named():
    plugins = [source("one", {}), source("two", {"properties": {"who": PERSON}})]
    with pytest.raises(MindweaveError, match="one and two"):
        event_types(plugins)


def test_types_of_telemetry_come_in_by_their_own_addresses():
    assert not event_types([source("one", {}, "io.opentelemetry.otlp.logs")])


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"properties": {"who": {"x-privacy": "people"}}},
        {"properties": {"who": {"anyOf": [PERSON, {"type": "null"}]}}},
        {"allOf": [{"properties": {"who": PERSON}}]},
        {"properties": {"all": {"additionalProperties": PERSON}}},
    ],
)
def test_a_schema_that_would_keep_what_it_hides_is_refused(schema):
    with pytest.raises(MindweaveError, match=r"source one: the schema of com\.example\.call"):
        event_types([source("one", schema)])


def test_annotations_in_lists_and_objects_count():
    inner = {"type": "object", "properties": {"who": PERSON}}
    schema = {"properties": {"all": {"type": "array", "items": inner}, "one": inner}}
    assert event_types([source("one", schema)])


def test_the_schemas_of_the_installed_sources_are_taken():
    event_types(installed_plugins().values())


QUESTION = "Why is the refund stuck?"
ASKED = {
    "mcp_name": {"type": "string"},
    "tool_name": {"type": "string"},
    "prompt": {"x-privacy": "prompt"},
    "tool_input": {"x-privacy": "tool_input"},
}
INNER = {"type": "object", "properties": ASKED}
SCHEMA = {"type": "object", "properties": {**ASKED, "more": {"type": "array", "items": INNER}}}


def sent(data):
    return received({"specversion": "1.0", "id": "1", "source": "//gw", "type": CALL, "data": data})


def test_of_what_was_asked_a_fingerprint_is_kept_wherever_it_stands(tmp_path):
    settings = Settings(tmp_path, "", "acme")
    gate = open_gate(settings, event_types([source("one", SCHEMA)]))
    tool = {"mcp_name": "desk", "tool_name": "get", "tool_input": {"q": QUESTION, "n": 1}}
    text = json.dumps(tool["tool_input"])
    told = {"prompt": QUESTION, **tool, "more": [{**tool, "tool_input": text}]}

    line, none, refused, blank = gate.admit_all(
        [
            sent(told),
            sent({"tool_input": "of no tool", "prompt": None}),
            sent([]),
            sent({"prompt": " "}),
        ]
    )

    assert isinstance(refused, RefusedError)
    assert isinstance(line, bytes)
    assert isinstance(none, bytes)
    assert isinstance(blank, bytes)
    assert "refund" not in line.decode().lower()
    kept = json.loads(line)["data"]
    assert kept["prompt"]["dedup_hash"] == prompt_hash(settings, QUESTION.upper())
    assert kept["prompt"].keys() == {
        *("dedup_hash", "normalization", "shingle_count", "sketch_size", "sketch")
    }
    assert kept["tool_input"]["dedup_hash"] == tool_hash(settings, "mcp__desk__get", text)
    assert kept["more"][0]["tool_input"] == kept["tool_input"]
    assert json.loads(none)["data"] == {"tool_input": None, "prompt": None}
    assert json.loads(blank)["data"]["prompt"]["dedup_hash"] is None


def test_threads_judge_events_beside_each_other(tmp_path, monkeypatch):
    gate = open_gate(Settings(tmp_path, "", "acme"), event_types([source("one", SCHEMA)]))
    rows = [[sent({"prompt": f"the {n} of {m}"}) for m in range(500)] for n in range(2)]
    one_by_one = [gate.admit_all(row) for row in rows]
    make, both_have_judged = gate._make_fingerprints, Barrier(2)

    def make_together(*contents):
        both_have_judged.wait(10)
        make(*contents)

    monkeypatch.setattr(gate, "_make_fingerprints", make_together)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(gate.admit_all, rows)) == one_by_one
