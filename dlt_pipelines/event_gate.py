"""What may be kept of an event: its type must be known, its data fit, and nothing else is kept.

A source names its types and the JSON Schema of their data in `SourcePlugin.event_types`. The
annotation ``x-privacy`` of a property is ours, and says what is kept instead of it: of a ``person``
a pseudonym, of ``content`` a keyed fingerprint that equal content has too. Of a ``prompt`` and of a
``tool_input`` (of the tool that its neighbours ``mcp_name`` and ``tool_name`` name) it is an object
of `FINGERPRINT_SCHEMA`, by which similar ones are found. What a schema does not name is left out.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import fastjsonschema
import pyarrow as pa

from dlt_pipelines import exact_json
from dlt_pipelines.cloud_events import ReceivedEvent
from dlt_pipelines.config import FingerprintSettings, Settings, fingerprint_settings
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.event_store import DeadLetter
from dlt_pipelines.fingerprints import Fingerprinter
from dlt_pipelines.otlp import PUSHED_TYPES
from dlt_pipelines.plugin import SourcePlugin
from dlt_pipelines.privacy import CustomerKey, customer_key

PRIVACY = "x-privacy"
SCALARS = frozenset({"string", "number", "integer", "boolean", "null"})
REMEMBERED_PEOPLE = 50_000
NESTED = "data is nested too deeply"

PRIVATE = frozenset({"person", "content", "prompt", "tool_input"})


@dataclass
class Contents:
    """Contents of some events, each with the object that its fingerprint goes to."""

    prompts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    tool_inputs: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)


Keep = Callable[[Any, Any, Contents], Any]
"""Takes a value, the object that it is a member of, and where contents are added."""


class RefusedError(ValueError):
    """An event cannot be kept; the message is the reason and holds nothing of the event."""


@dataclass(frozen=True)
class EventType:
    """A type that may come in by CloudEvents."""

    source: str
    schema: Mapping[str, Any]
    validate: Callable[[Any], Any]


def event_types(plugins: Iterable[type[SourcePlugin[Any]]]) -> dict[str, EventType]:
    """Compile the types of the plugins. Raises MindweaveError where two mean other things."""
    types: dict[str, EventType] = {}
    for plugin in plugins:
        for name, schema in plugin.event_types.items():
            if name.startswith(PUSHED_TYPES):
                continue  # these come in by their own addresses
            known = types.get(name)
            if known is not None and known.schema != schema:
                raise MindweaveError(
                    f"sources {known.source} and {plugin.name} both take events of type {name}, "
                    "with different schemas: remove one of them"
                )
            try:
                validate = fastjsonschema.compile(dict(schema), use_default=False)
                _check_privacy(schema)
            except Exception as error:
                raise MindweaveError(
                    f"source {plugin.name}: the schema of {name} cannot be used "
                    f"({type(error).__name__}: {error}): install its package again, or remove it"
                ) from error
            types[name] = EventType(plugin.name, schema, validate)
    return types


class EventGate:
    """The gate of one customer, for any number of threads."""

    def __init__(
        self, key: CustomerKey, types: Mapping[str, EventType], settings: FingerprintSettings
    ) -> None:
        """Take the key that people and content become unknown under, and how to normalise."""
        self._key = key
        self._fingerprinter = Fingerprinter(key, settings)
        self._person = lru_cache(REMEMBERED_PEOPLE)(self._new_person)
        self._types = {
            name: (found.validate, self._keep_of(found.schema), found.schema)
            for name, found in types.items()
        }

    def admit(self, event: ReceivedEvent) -> bytes:
        """Return the line to keep; raise RefusedError."""
        [judged] = self.admit_all([event])
        if isinstance(judged, RefusedError):
            raise judged
        return judged

    def admit_all(self, events: Sequence[ReceivedEvent]) -> list[bytes | RefusedError]:
        """Return of each event the line to keep, or why there is none.

        The contents of many take much less time together than one by one.
        """
        contents = Contents()
        judged = [self._judged(event, contents) for event in events]
        self._make_fingerprints(contents)
        return [found if isinstance(found, RefusedError) else _line(*found) for found in judged]

    def _judged(
        self, event: ReceivedEvent, contents: Contents
    ) -> tuple[dict[str, Any], Any] | RefusedError:
        """Return what to keep of an event, fingerprints not made yet, and its data."""
        try:
            return self._kept(event, contents)
        except RefusedError as error:
            return error

    def _kept(self, event: ReceivedEvent, contents: Contents) -> tuple[dict[str, Any], Any]:
        if event.problem:
            raise RefusedError(event.problem)
        known = self._types.get(event.get_type())
        if known is None:
            raise RefusedError(
                "attribute type: send it to /v1/logs, /v1/traces or /v1/metrics"
                if event.get_type().startswith(PUSHED_TYPES)
                else "attribute type is none that an installed source takes"
            )
        validate, keep, schema = known
        data = event.get_data()
        if isinstance(data, bytes):
            data = _json_of(data)
        if not isinstance(data, dict):
            raise RefusedError("data is no JSON object")
        try:
            validate(data)
        except fastjsonschema.JsonSchemaValueException as error:
            raise RefusedError(_reason(error, schema)) from None
        except ArithmeticError:
            raise RefusedError("data has a number that cannot be checked") from None
        time = event.get_time()
        try:
            kept = keep(data, None, contents)
        except (RecursionError, ValueError):
            raise RefusedError(NESTED) from None
        envelope = {
            "id": event.get_id(),
            "source": event.get_source(),
            "type": event.get_type(),
            "subject": event.get_subject(),
            "time": time and time.isoformat(timespec="microseconds")[:-6] + "Z",
            "data": kept,
        }
        return envelope, data

    def letter(self, event: ReceivedEvent, reason: str, received_at: datetime) -> DeadLetter | None:
        """Return the dead letter of a refused event; None of one that cannot be written down."""
        try:
            written = exact_json.dump(event.envelope())
        except ValueError:
            return None
        letter_id = hashlib.sha256(reason.encode() + b"\n" + written).hexdigest()[:32]
        return DeadLetter(letter_id, reason, event.envelope(), received_at)

    def _keep_of(self, schema: Any) -> Keep:
        """Return what makes of a value that fits a schema what may be kept of it."""
        schema = schema if isinstance(schema, Mapping) else {}
        privacy = schema.get(PRIVACY)
        if privacy == "person":
            return lambda value, *_: None if value is None else self._person(_as_text(value))
        if privacy == "content":
            return lambda value, *_: None if value is None else self._content(_as_text(value))
        if privacy == "prompt":
            return lambda value, _, contents: (
                None if value is None else _prompt(_as_text(value), contents)
            )
        if privacy == "tool_input":
            return lambda value, whole, contents: (
                None if value is None else _tool_input(_as_text(value), whole, contents)
            )
        members = {
            name: None if _is_scalar(member) else self._keep_of(member)
            for name, member in schema.get("properties", {}).items()
        }
        items = schema.get("items")
        keep_item: Keep | None = self._keep_of(items) if items else None

        def keep(value: Any, _: Any, contents: Contents) -> Any:
            if isinstance(value, dict):
                return {
                    name: inner(member, value, contents) if (inner := members[name]) else member
                    for name, member in value.items()
                    if name in members
                }
            if isinstance(value, list):
                return [(keep_item or _unnamed)(item, None, contents) for item in value]
            return value

        return keep

    def _new_person(self, name: str) -> str:
        # as `mindweave pseudonym` does
        return self._key.person(name.lower() if "@" in name else name)

    def _content(self, text: str) -> str:
        return self._key.fingerprint("content", text)

    def _make_fingerprints(self, contents: Contents) -> None:
        if prompts := contents.prompts:
            made = self._fingerprinter.prompts(_texts(text for text, _ in prompts))
            for (_, kept), fingerprint in zip(prompts, made.to_pylist(), strict=True):
                kept.update(fingerprint)
        if tools := contents.tool_inputs:
            names = _texts(name for name, _, _ in tools)
            inputs = _texts(text for _, text, _ in tools)
            made = self._fingerprinter.tool_inputs(names, inputs)
            for (_, _, kept), fingerprint in zip(tools, made.to_pylist(), strict=True):
                kept.update(fingerprint)


def open_gate(settings: Settings, types: Mapping[str, EventType]) -> EventGate:
    """Return the gate of the customer of ``settings``.

    Raises MindweaveError where the key cannot be read, or a setting of fingerprints is wrong.
    """
    key = customer_key(settings.home, settings.customer)
    return EventGate(key, types, fingerprint_settings(settings.customer))


def _prompt(text: str, contents: Contents) -> dict[str, Any]:
    """Return the object that `EventGate._make_fingerprints` will fill."""
    kept: dict[str, Any] = {}
    contents.prompts.append((text, kept))
    return kept


def _tool_input(text: str, whole: Any, contents: Contents) -> dict[str, Any] | None:
    server, tool = whole and whole.get("mcp_name"), whole and whole.get("tool_name")
    if not server or not tool:
        return None  # of nobody's
    kept: dict[str, Any] = {}
    contents.tool_inputs.append((f"mcp__{server}__{tool}", text, kept))
    return kept


def _line(envelope: dict[str, Any], data: Any) -> bytes | RefusedError:
    try:
        line = exact_json.dump(envelope)
    except (RecursionError, ValueError):
        return RefusedError(NESTED)
    # no text of PostgreSQL's holds it
    if b"\\u0000" in line and _has_nul(data):
        return RefusedError("data has a text with a NUL character")
    return line


def _texts(texts: Iterable[str]) -> pa.Array:
    # half of a surrogate pair is no text, and content all the same
    return pa.array([text.encode("utf-8", "replace") for text in texts], pa.large_binary())


def _check_privacy(schema: Mapping[str, Any]) -> None:
    """Raise ValueError for an annotation that would keep in the clear what it is to hide."""
    words = _honoured(schema)
    if not PRIVATE.issuperset(words):
        raise ValueError(f"{PRIVACY} is none of {', '.join(sorted(PRIVATE))}")
    if len(words) < _annotations(schema):
        raise ValueError(f"{PRIVACY} counts for members of properties and items alone")


def _honoured(schema: Any) -> list[Any]:
    """Return the annotations that `EventGate` finds."""
    if not isinstance(schema, Mapping) or PRIVACY in schema:
        return [schema[PRIVACY]] if isinstance(schema, Mapping) else []
    inner = [*schema.get("properties", {}).values(), schema.get("items")]
    return [word for member in inner for word in _honoured(member)]


def _annotations(found: Any) -> int:
    """Count all annotations, wherever they are."""
    if isinstance(found, Mapping):
        return (PRIVACY in found) + sum(map(_annotations, found.values()))
    return sum(map(_annotations, found)) if isinstance(found, list | tuple) else 0


def _is_scalar(schema: Any) -> bool:
    """Say whether what fits a schema may be kept as it is, for being no object and no list."""
    if not isinstance(schema, Mapping) or PRIVACY in schema:
        return False
    named = schema.get("type", "anything")
    return SCALARS.issuperset([named] if isinstance(named, str) else named)


def _unnamed(value: Any, *_: Any) -> Any:
    """Keep of a value that no schema describes what is no member of anything."""
    if isinstance(value, dict):
        return {}
    return [_unnamed(item) for item in value] if isinstance(value, list) else value


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else exact_json.dump(value).decode()


def _json_of(data: bytes) -> Any:
    try:
        return exact_json.parse(data)
    except ValueError:
        return None


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_nul, value.values()))
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\0" in value


def _reason(error: fastjsonschema.JsonSchemaValueException, schema: Mapping[str, Any]) -> str:
    """Say what does not fit, in words of the schema alone: no value, no name of the sender's."""
    place = ["data"]
    inner: Any = schema
    for step in error.path[1:]:
        named = inner.get("properties", {}) if isinstance(inner, Mapping) else {}
        if step in named:
            place.append(step)
            inner = named[step]
        else:
            place.append("*")
            inner = inner.get("items", {}) if isinstance(inner, Mapping) else {}
    where = ".".join(place)
    wanted = error.rule_definition
    if error.rule == "required" and isinstance(error.value, dict):
        missing = [name for name in wanted if name not in error.value]
        return f"{where}: {', '.join(missing)} is missing"
    if error.rule == "additionalProperties":
        return f"{where}: has a member that the schema does not name"
    if error.rule == "type":
        return (
            f"{where}: is not of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
        )
    is_short = isinstance(wanted, str | int | float) or error.rule == "enum"
    return f"{where}: does not meet {error.rule}{f' {wanted}' if is_short else ''}"
