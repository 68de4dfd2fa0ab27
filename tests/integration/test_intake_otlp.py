"""Telemetry by OTLP/HTTP, from the exporters that people use, in both encodings."""

import gzip
import json
import shutil
import subprocess
from importlib import import_module

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind

from flows.node import find_node
from tests import otlp
from tests.intake import CANARY
from tests.transcripts import REPOSITORY

JSON, PROTOBUF = "application/json", "application/x-protobuf"
SENDER = REPOSITORY / "tests" / "fixtures" / "otel_js"
CLAUDE_CODE = otlp.logs(otlp.api_request(1, cost_usd=0.062605), otlp.tool_result(2))


def send(client, signal, body, content_type=JSON, **headers):
    return client.post(
        f"/v1/{signal}", content=body, headers={"Content-Type": content_type} | headers
    )


def kept(intake, customer):
    """Return the signals and requests that a drain would read; each is one line."""
    entries = intake.entries(customer)
    assert not any(b"\n" in entry.body for entry in entries)
    return [(entry.kind, json.loads(entry.body)) for entry in entries]


def as_protobuf(message, request):
    """Return a request in protobuf; its ids are hex in OTLP/JSON, and base64 in protobuf's own."""
    text = json.dumps(request)
    return json_format.Parse(text, message()).SerializeToString()


def test_claude_codes_events_come_in_as_json_as_they_were_sent(client, intake, customer):
    answer = send(client, "logs", json.dumps(CLAUDE_CODE, indent=2))
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert answer.headers["content-type"] == JSON
    assert kept(intake, customer) == [("logs", CLAUDE_CODE)]


def test_claude_codes_events_come_in_as_protobuf_and_are_the_same(client, intake, customer):
    body = as_protobuf(ExportLogsServiceRequest, CLAUDE_CODE)
    answer = send(client, "logs", body, PROTOBUF)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == PROTOBUF
    assert ExportLogsServiceResponse.FromString(answer.content) == ExportLogsServiceResponse()
    assert kept(intake, customer) == [("logs", CLAUDE_CODE)]


def test_protobuf_becomes_what_the_json_encoding_says(client, intake, customer):
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = bytes(range(16)), b"\xff" * 8
    span.kind, span.status.code, span.start_time_unix_nano = 3, 2, 2**63
    for name, field, value in (
        ("zero", "int_value", 0),
        ("most", "int_value", -(2**63)),
        ("no", "bool_value", False),
        ("empty", "string_value", ""),
        ("half", "double_value", 0.5),
        ("nan", "double_value", float("nan")),
        ("less", "double_value", float("-inf")),
        ("bytes", "bytes_value", b"\x00\xff"),
    ):
        attribute = span.attributes.add(key=name)
        setattr(attribute.value, field, value)
    span.attributes.add(key="list").value.array_value.values.add(string_value="a")
    assert send(client, "traces", request.SerializeToString(), PROTOBUF).status_code == 200
    [(signal, found)] = kept(intake, customer)
    assert signal == "traces"
    assert found["resourceSpans"][0]["scopeSpans"][0]["spans"] == [
        {
            "traceId": "000102030405060708090a0b0c0d0e0f",
            "spanId": "ffffffffffffffff",
            "kind": 3,
            "startTimeUnixNano": "9223372036854775808",
            "attributes": [
                {"key": "zero", "value": {"intValue": "0"}},
                {"key": "most", "value": {"intValue": "-9223372036854775808"}},
                {"key": "no", "value": {"boolValue": False}},
                {"key": "empty", "value": {"stringValue": ""}},
                {"key": "half", "value": {"doubleValue": 0.5}},
                {"key": "nan", "value": {"doubleValue": "NaN"}},
                {"key": "less", "value": {"doubleValue": "-Infinity"}},
                {"key": "bytes", "value": {"bytesValue": "AP8="}},
                {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}},
            ],
            "status": {"code": 2},
        }
    ]


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_the_python_sdk_exports_all_three_signals(intake, customer, encoding):
    headers = {"Authorization": f"Bearer {intake.token(customer)}"}
    package = {"json": "json", "protobuf": "proto"}[encoding]
    export_all(f"opentelemetry.exporter.otlp.{package}.http", intake.address, headers)
    found = dict(kept(intake, customer))
    [span] = found["traces"]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (span["name"], len(span["traceId"]), len(span["spanId"])) == ("chat", 32, 16)
    assert span["kind"] == 3
    [metric] = found["metrics"]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    assert metric["sum"]["dataPoints"][0]["asInt"] == "3"
    [record] = found["logs"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert record["body"] == {"stringValue": "claude_code.api_request"}


def export_all(package, address, headers):
    """Send one span, one metric and one log record."""

    def exporter(module, name, signal):
        made = getattr(import_module(f"{package}.{module}"), name)
        return made(endpoint=f"{address}/v1/{signal}", headers=headers)

    traces = TracerProvider()
    traces.add_span_processor(
        SimpleSpanProcessor(exporter("trace_exporter", "OTLPSpanExporter", "traces"))
    )
    with traces.get_tracer("test").start_as_current_span("chat", kind=SpanKind.CLIENT):
        pass
    traces.shutdown()
    reader = PeriodicExportingMetricReader(
        exporter("metric_exporter", "OTLPMetricExporter", "metrics")
    )
    metrics = MeterProvider([reader])
    metrics.get_meter("test").create_counter("claude_code.token.usage").add(3)
    metrics.shutdown()
    logs = LoggerProvider()
    logs.add_log_record_processor(
        SimpleLogRecordProcessor(exporter("_log_exporter", "OTLPLogExporter", "logs"))
    )
    logs.get_logger("test").emit(body="claude_code.api_request", attributes={"tokens": 3})
    logs.shutdown()


@pytest.fixture(scope="module")
def npm_sender(tmp_path_factory):
    """A folder with the exporters that npm has."""
    folder = shutil.copytree(SENDER, tmp_path_factory.mktemp("npm") / "sender")
    node = find_node()
    install = node.npm("ci", "--no-audit", "--no-fund", "--ignore-scripts")
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return lambda *arguments: subprocess.run(
        [node.executable, "send.mjs", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_the_npm_sdk_exports_spans(intake, customer, npm_sender, encoding):
    npm_sender(intake.address, intake.token(customer), encoding)
    [(signal, found)] = kept(intake, customer)
    [span] = found["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (signal, span["name"], len(span["traceId"])) == ("traces", "chat example", 32)
    values = {item["key"]: item["value"] for item in span["attributes"]}
    assert values["gen_ai.request.model"] == {"stringValue": "example"}
    assert int(values["gen_ai.usage.input_tokens"]["intValue"]) == 12
    assert values["ratio"] == {"doubleValue": 0.5}


def test_gzip_is_taken(client, intake, customer):
    body = gzip.compress(json.dumps(CLAUDE_CODE).encode())
    assert send(client, "logs", body, **{"Content-Encoding": "gzip"}).status_code == 200
    assert kept(intake, customer) == [("logs", CLAUDE_CODE)]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{}", JSON),
        ('{"resourceLogs": []}', JSON),
        ("", PROTOBUF),
    ],
)
def test_a_request_that_exports_nothing_is_fine(client, intake, customer, body, content_type):
    assert send(client, "logs", body, content_type).status_code == 200
    assert not intake.entries(customer)


@pytest.mark.parametrize(
    ("signal", "body", "content_type", "status"),
    [
        ("logs", "", JSON, 400),
        ("logs", "{", JSON, 400),
        ("logs", "[]", JSON, 400),
        ("logs", '{"resourceLogs": {}}', JSON, 400),
        ("logs", '{"resourceLogs": [1]}', JSON, 400),
        ("logs", '{"resourceLogs": null}', JSON, 400),
        ("logs", b'{"resourceLogs": [{"\xff": 1}]}', JSON, 400),
        ("traces", json.dumps(CLAUDE_CODE), JSON, 400),
        ("logs", b"\x0a\xff\xff", PROTOBUF, 400),
        ("logs", "{}", "text/plain", 415),
        ("logs", "{}", "application/grpc", 415),
        ("profiles", "{}", JSON, 404),
    ],
)
def test_what_is_no_request_is_refused_in_one_line(
    client, intake, customer, signal, body, content_type, status
):
    answer = send(client, signal, body, content_type)
    assert answer.status_code == status
    assert "\n" not in answer.json()["error"]
    assert not intake.entries(customer)


def test_nothing_of_a_refused_request_is_in_the_answer_or_the_log(client, intake):
    for body in (CANARY, f'{{"{CANARY}": 1}}', f'{{"resourceLogs": "{CANARY}"}}'):
        for content_type in (JSON, PROTOBUF):
            assert CANARY not in send(client, "logs", body, content_type).text
    assert CANARY not in intake.log.read_text()


def test_metrics_come_in_as_protobuf(client, intake, customer):
    request = otlp.metrics({"name": "m", "gauge": {"dataPoints": [{"asDouble": 0.5}]}})
    body = as_protobuf(ExportMetricsServiceRequest, request)
    assert send(client, "metrics", body, PROTOBUF).status_code == 200
    assert kept(intake, customer) == [("metrics", request)]
