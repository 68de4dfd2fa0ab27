"""CloudEvents as they come: the SDK parses them, and what it does not check is checked here.

The SDK knows no batch, invents an id and a time where there is none, reads numbers as floats and
times as ISO 8601, and takes both data members, null attributes and quoted headers at their word.

Facts: CloudEvents 1.0.2, its JSON format and its HTTP binding.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote

from cloudevents.core.base import BaseCloudEvent, EventFactory
from cloudevents.core.bindings import http
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import OPTIONAL_ATTRIBUTES, REQUIRED_ATTRIBUTES, CloudEvent

from dlt_pipelines import exact_json

BATCH_TYPE = "application/cloudevents-batch+json"
STRUCTURED_TYPE = JSONFormat.CONTENT_TYPE
SPEC_VERSION = "1.0"

NAMES = frozenset({*REQUIRED_ATTRIBUTES, *OPTIONAL_ATTRIBUTES})
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search
# what every warehouse can hold without bending it
YEARS = range(1970, 2200)


class UnreadableError(ValueError):
    """The request is no CloudEvent at all; the message holds nothing of it."""


class TooManyError(ValueError):
    """A batch has more events than may come at once."""


class ReceivedEvent(CloudEvent):
    """An event and what is wrong with it, if anything: a batch may hold a bad one."""

    def __init__(self, attributes: dict[str, Any], data: Any = None) -> None:
        """Check the attributes; ``problem`` is the first that is wrong, in words of our own."""
        self.written = attributes
        # null is absent
        found = {name: value for name, value in attributes.items() if value is not None}
        self.problem = _problem(found)
        self._attributes, self._data = found, data
        if self.problem is None:
            is_timed = "time" in found
            try:
                super().__init__(found, data)
            except CloudEventValidationError as error:
                self.problem = _in_our_words(error)
            if not is_timed:
                found.pop("time", None)  # the SDK's own clock

    def envelope(self) -> dict[str, Any]:
        """Return the event in the JSON format, as its sender wrote it."""
        if isinstance(self._data, bytes):
            return {**self.written, "data_base64": base64.b64encode(self._data).decode()}
        return self.written if self._data is None else {**self.written, "data": self._data}


class ExactJsonFormat(JSONFormat):
    """The JSON format with exact numbers, and the batch format."""

    def read(self, event_factory: EventFactory | None, data: str | bytes) -> ReceivedEvent:
        """Return the event of a JSON envelope; raise UnreadableError where it is none."""
        return received(_parsed(data))

    def read_batch(self, data: bytes, most: int) -> list[ReceivedEvent | None]:
        """Return the events of a JSON array; None stands for an item that is no object.

        Raises TooManyError for more than ``most``.
        """
        items = _parsed(data)
        if not isinstance(items, list):
            raise UnreadableError("the body is no JSON array of events")
        if len(items) > most:
            raise TooManyError(f"the batch has more than {most} events: send less at once")
        return [received(item) if isinstance(item, dict) else None for item in items]

    def read_data(self, body: bytes, datacontenttype: str | None) -> Any:
        """Return the data of an event in binary mode: JSON as such, else text, else bytes."""
        if JSONFormat.JSON_CONTENT_TYPE_PATTERN.match(datacontenttype or self.DEFAULT_CONTENT_TYPE):
            try:
                return exact_json.parse(body)
            except ValueError:
                pass  # it stays text, which no type of event takes
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            return body


FORMAT = ExactJsonFormat()


def received(envelope: Any) -> ReceivedEvent:
    """Return the event of a parsed envelope; raise UnreadableError where it is no object."""
    if not isinstance(envelope, dict):
        raise UnreadableError("the body is no JSON object with an event")
    attributes = dict(envelope)
    if "data" in attributes or "data_base64" not in attributes:
        return ReceivedEvent(attributes, attributes.pop("data", None))
    try:
        data = base64.b64decode(attributes["data_base64"], validate=True)
    except (TypeError, ValueError, binascii.Error):
        return ReceivedEvent(attributes)
    del attributes["data_base64"]
    return ReceivedEvent(attributes, data)


def from_structured(body: bytes) -> ReceivedEvent:
    """Return the event of a request in structured mode."""
    return FORMAT.read(None, body)


def from_binary(headers: Mapping[str, str], body: bytes) -> ReceivedEvent:
    """Return the event of a request in binary mode; names of ``headers`` are in lower case."""
    attributes = {name: _unquoted(value) for name, value in headers.items()}
    # taken round the SDK, which would read it as ISO 8601
    time = attributes.pop("ce-time", None)

    def factory(found: dict[str, Any], data: Any = None) -> BaseCloudEvent:
        return ReceivedEvent(found if time is None else {**found, "time": unquote(time)}, data)

    return cast(
        ReceivedEvent, http.from_binary(http.HTTPMessage(attributes, body), FORMAT, factory)
    )


def _parsed(data: str | bytes) -> Any:
    try:
        return exact_json.parse(data.encode() if isinstance(data, str) else data)
    except ValueError as error:
        raise UnreadableError(f"the body is {error}") from None


def _problem(attributes: dict[str, Any]) -> str | None:
    """Check what the SDK does not; make a datetime of ``time``."""
    for name in REQUIRED_ATTRIBUTES:
        if name not in attributes:
            return f"attribute {name} is missing"
    if attributes["specversion"] != SPEC_VERSION:
        return f"attribute specversion is not {SPEC_VERSION}"
    if "data_base64" in attributes:
        return "data_base64 is no base64, or stands beside data"
    for name, value in attributes.items():
        if value.__class__ is str:
            if NO_TEXT(value):
                return f"{_named(name)} has a control character"
        elif not isinstance(value, int):
            return f"{_named(name)} is no text"
    if "time" in attributes:
        time = instant(attributes["time"])
        if time is None:
            return "attribute time is no RFC 3339 time, as 2026-11-01T09:30:00Z"
        attributes["time"] = time
    if "sampledrate" in attributes and str(attributes["sampledrate"]) != "1":
        return "sampledrate is not 1: an event that stands for several cannot be counted"
    return None


def instant(text: Any) -> datetime | None:
    """Return the time that an RFC 3339 text names, in UTC; digits after microseconds are cut."""
    try:
        if not RFC_3339.fullmatch(text.upper()):
            return None
        found = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (AttributeError, OverflowError, ValueError):
        return None
    return found if found.year in YEARS else None


def _in_our_words(error: CloudEventValidationError) -> str:
    name = next(iter(error.errors))
    if name in NAMES:
        return f"attribute {name} is empty or no text"
    return "the name of an attribute has other characters than a-z and 0-9"


def _named(name: str) -> str:
    """Return what to call an attribute: the name of an extension is the sender's own words."""
    return f"attribute {name}" if name in NAMES else "an extension attribute"


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value
