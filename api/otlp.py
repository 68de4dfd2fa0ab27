"""OTLP/HTTP export requests, in JSON or protobuf, as one line of OTLP/JSON.

Facts: protobuf's JSON encoding as opentelemetry-proto limits it (ids are hex, enums integers,
64-bit integers texts, names in lowerCamelCase).
"""

import base64
import math
from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.answers import JSON, RefusedRequestError
from dlt_pipelines.otlp import LEVELS, Signal

PROTOBUF = "application/x-protobuf"
REQUESTS: dict[Signal, type[Message]] = {
    "logs": ExportLogsServiceRequest,
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
HEX = frozenset({"trace_id", "span_id", "parent_span_id"})
TEXTS = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
    }
)

Shape = tuple[str, Callable[[Any], Any] | None, bool]
_shapes: dict[str, Shape] = {}


def one_line(signal: Signal, content_type: str, body: bytes) -> bytes | None:
    """Return the request on one line of JSON, None where it exports nothing.

    Raises RefusedRequestError for what is no export request of this signal.
    """
    if content_type == JSON:
        return _checked(signal, body)
    if content_type == PROTOBUF:
        try:
            message = REQUESTS[signal].FromString(body)
        except DecodeError:
            raise RefusedRequestError(400, f"the body is no protobuf of {signal}") from None
        found = as_json(message)
        return orjson.dumps(found) if found else None
    raise RefusedRequestError(415, f"content-type is neither {JSON} nor {PROTOBUF}")


def as_json(message: Message) -> dict[str, Any]:
    """Return a message as OTLP/JSON has it."""
    found = {}
    for field, value in message.ListFields():
        name, convert, is_list = _shapes.get(field.full_name) or _shape(field)
        if convert is None:
            found[name] = list(value) if is_list else value
        else:
            found[name] = [convert(item) for item in value] if is_list else convert(value)
    return found


def _shape(field: FieldDescriptor) -> Shape:
    convert: Callable[[Any], Any] | None = None
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        convert = as_json
    elif field.type in TEXTS:
        convert = str
    elif field.type == FieldDescriptor.TYPE_BYTES:
        convert = bytes.hex if field.name in HEX else _base64
    elif field.type == FieldDescriptor.TYPE_DOUBLE:
        convert = _double
    shape = field.json_name, convert, field.is_repeated
    _shapes[field.full_name] = shape
    return shape


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _checked(signal: Signal, body: bytes) -> bytes | None:
    """Check the outermost shape; what is below it is judged record by record when it lands."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedRequestError(
            400, f"the body is no JSON at line {error.lineno}, column {error.colno}"
        ) from None
    name = LEVELS[signal][0]
    resources = found.get(name, [] if not found else None) if isinstance(found, dict) else None
    if not isinstance(resources, list) or not all(isinstance(item, dict) for item in resources):
        raise RefusedRequestError(400, f"the body is no export request: it has no list {name}")
    # a line break within JSON stands between its words only; the words stay as they are
    return body.translate(None, b"\r\n") if resources else None
