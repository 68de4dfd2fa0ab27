"""Which schemas the gate takes from sources: none that would keep what it is to hide."""

import pytest
from pydantic import BaseModel

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.event_gate import event_types
from dlt_pipelines.plugin import SourcePlugin, installed_plugins

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
