"""OTLP/JSON export requests as columns, in DuckDB: logs, spans and points of metrics.

A request is one text; where it came from does not matter: `OtlpBatch` takes any Arrow table of
texts. Unknown fields are ignored. Numbers are taken by what a column expects, as producers tag
them as they like: an integer may come as a number, as a decimal text or as a double.

Facts: protobuf's JSON encoding as opentelemetry-proto limits it (ids are hex, enums integers).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from dlt_pipelines.jsonl_files import LINES_SCHEMA

Signal = Literal["logs", "traces", "metrics"]
# the types of pushed export requests begin with it, and end with their signal
PUSHED_TYPES = "io.opentelemetry.otlp."

VALUE = """{
    "stringValue": "VARCHAR", "intValue": "VARCHAR", "doubleValue": "VARCHAR",
    "boolValue": "VARCHAR"
}"""
ATTRIBUTES = f'[{{"key": "VARCHAR", "value": {VALUE}}}]'
POINTS = f"""[{{
    "startTimeUnixNano": "VARCHAR", "timeUnixNano": "VARCHAR", "asInt": "VARCHAR",
    "asDouble": "VARCHAR", "sum": "VARCHAR", "count": "VARCHAR", "attributes": {ATTRIBUTES}
}}]"""


def _request(resources: str, scopes: str, records: str) -> str:
    return f"""{{"{resources}": [{{
        "resource": {{"attributes": {ATTRIBUTES}}},
        "{scopes}": [{{"scope": {{"name": "VARCHAR"}}, {records}}}]
    }}]}}"""


REQUESTS: Mapping[Signal, str] = {
    "logs": _request(
        "resourceLogs",
        "scopeLogs",
        f"""
        "logRecords": [{{
            "timeUnixNano": "VARCHAR", "observedTimeUnixNano": "VARCHAR", "eventName": "VARCHAR",
            "traceId": "VARCHAR", "spanId": "VARCHAR", "body": {VALUE}, "attributes": {ATTRIBUTES}
        }}]
        """,
    ),
    "traces": _request(
        "resourceSpans",
        "scopeSpans",
        f"""
        "spans": [{{
            "traceId": "VARCHAR", "spanId": "VARCHAR", "parentSpanId": "VARCHAR",
            "name": "VARCHAR", "kind": "VARCHAR", "startTimeUnixNano": "VARCHAR",
            "endTimeUnixNano": "VARCHAR", "status": {{"code": "VARCHAR"}},
            "attributes": {ATTRIBUTES}
        }}]
        """,
    ),
    "metrics": _request(
        "resourceMetrics",
        "scopeMetrics",
        f"""
        "metrics": [{{
            "name": "VARCHAR", "unit": "VARCHAR",
            "sum": {{
                "aggregationTemporality": "VARCHAR", "isMonotonic": "BOOLEAN",
                "dataPoints": {POINTS}
            }},
            "gauge": {{"dataPoints": {POINTS}}},
            "histogram": {{"aggregationTemporality": "VARCHAR", "dataPoints": {POINTS}}}
        }}]
        """,
    ),
}

# where a record of each signal stands in its request, and what leads to it
LEVELS: Mapping[Signal, tuple[str, str, str]] = {
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}

FIELDS: Mapping[Signal, Mapping[str, str]] = {
    "logs": {
        "time_ns": "record.timeUnixNano",
        "observed_ns": "record.observedTimeUnixNano",
        "event_name": "record.eventName",
        "trace_id": "lower(record.traceId)",
        "span_id": "lower(record.spanId)",
        "body": "record.body.stringValue",
    },
    "traces": {
        "trace_id": "lower(record.traceId)",
        "span_id": "lower(record.spanId)",
        "parent_span_id": "lower(record.parentSpanId)",
        "span_name": "record.name",
        "span_kind": "record.kind",
        "start_ns": "record.startTimeUnixNano",
        "end_ns": "record.endTimeUnixNano",
        "span_status": "record.status.code",
    },
    "metrics": {
        "metric_name": "metric.name",
        "metric_unit": "metric.unit",
        "temporality": "coalesce("
        "metric.sum.aggregationTemporality, metric.histogram.aggregationTemporality)",
        "is_monotonic": "metric.sum.isMonotonic",
        "start_ns": "record.startTimeUnixNano",
        "time_ns": "record.timeUnixNano",
        "value_text": "coalesce(record.asInt, record.asDouble, record.sum)",
    },
}

# what is no object reads like an object without any field
NO_OBJECT: Mapping[Signal, str] = {
    "logs": "coalesce(record.timeUnixNano, record.observedTimeUnixNano, record.eventName, "
    "record.body.stringValue) is null and record.attributes is null",
    "traces": "coalesce(record.traceId, record.spanId, record.name, record.startTimeUnixNano) "
    "is null and record.attributes is null",
    "metrics": "(metric.name is null or (point_count > 0 and coalesce(record.timeUnixNano, "
    "record.asInt, record.asDouble, record.sum) is null and record.attributes is null))",
}

SLICE_BYTES = 2**20
NO_LIST = "resources, scopes or records are missing or are no list"

# Numbers by what is expected of them; a time without a value is null.
MACROS = (
    """
    create macro is_count(number) as
        number is null
        or coalesce(
            try_cast(number as double) between 0 and 999999999999
            and try_cast(number as double) = floor(try_cast(number as double)),
            false
        )
    """,
    "create macro as_count(number) as cast(try_cast(number as double) as bigint)",
    """
    create macro as_usd(number) as try_cast(number as decimal(38, 15))
    """,
    """
    create macro as_time(nanoseconds) as
        make_timestamp(nullif(try_cast(nanoseconds as bigint), 0) // 1000)
    """,
    """
    create macro is_time(instant) as
        coalesce(instant between timestamp '2020-01-01' and timestamp '2100-01-01', false)
    """,
    """
    create macro is_no_text(words) as
        length(words) > 1000 or regexp_matches(words, '[[:cntrl:]]')
    """,
    # a word of the producer's own; anything else could be content
    """
    create macro as_word(text) as
        case when regexp_full_match(text, '[A-Za-z0-9][A-Za-z0-9_./:-]{0,59}') then text end
    """,
)


@dataclass(frozen=True)
class Attributes:
    """Which attributes become columns: of a record, of its resource, or of either.

    Each column has the names that it goes by, the one that wins first. Of ``either`` the record's
    own wins. To look for a name takes time, so that ``only_where`` says, by column, which records
    may have it: a condition on the signal's `FIELDS` and the columns of ``first`` and
    ``derived`` (expressions on these).
    """

    first: Mapping[str, Sequence[str]] = field(default_factory=dict)
    record: Mapping[str, Sequence[str]] = field(default_factory=dict)
    resource: Mapping[str, Sequence[str]] = field(default_factory=dict)
    either: Mapping[str, Sequence[str]] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    only_where: Mapping[str, str] = field(default_factory=dict)


def records_sql(signal: Signal, attributes: Attributes, is_own: str, requests: str) -> str:
    """Return CTEs, the last one ``records``: a row a record of the table ``requests``.

    ``requests`` has file_index, line_number and line (the text of one export request).
    ``is_own`` is asked of service_name and scope_name; attributes of others' records are null.
    ``records`` has file_index, line_number, line, resource_number, scope_number, record_number
    (of a point: of its metric, with point_number, point_count), record_path, service_name,
    scope_name, is_own, structure_problem (why the row is no record), the signal's `FIELDS` and
    the attributes, all as text.
    No join may follow before ``line`` is dropped: it would copy the request for each record.
    """
    resources, scopes, records = LEVELS[signal]
    resource_columns = {"service_name": ("service.name",)} | {
        **attributes.resource,
        **{f"resource_{name}": names for name, names in attributes.either.items()},
    }
    record_columns = {**attributes.record, **attributes.either}

    def found(keys: str, texts: str, names: Sequence[str]) -> str:
        places = [f"{texts}[list_position({keys}, {_quoted(name)})]" for name in names]
        return places[0] if len(places) == 1 else f"coalesce({', '.join(places)})"

    resource_picks = "".join(
        f",\n        nullif({found('resource_keys', 'resource_texts', names)}, '') as {column}"
        for column, names in resource_columns.items()
    )
    first_picks = "".join(
        f",\n        {found('keys', 'texts', names)} as {column}"
        for column, names in attributes.first.items()
    )
    derived = "".join(f",\n        {sql} as {column}" for column, sql in attributes.derived.items())
    record_picks = "".join(
        f",\n        {_pick(found('keys', 'texts', names), column, attributes)} as {column}"
        for column, names in record_columns.items()
    )
    resource_outputs = "".join(f", {column}" for column in resource_columns)
    fields = "".join(f",\n        {sql} as {name}" for name, sql in FIELDS[signal].items())
    is_metrics = signal == "metrics"
    problem, entry, unnested = "structure_problem", "record", "unnested"
    numbers, is_no_object = "resource_number, scope_number, record_number", NO_OBJECT[signal]
    if is_metrics:
        problem, entry, unnested = "metric_problem", "metric", "metrics_of_scopes"
        numbers += ", point_number"
    points = f"""
points as (
    select
        * exclude (metric),
        metric,
        metric_problem,
        unnest(range(greatest(len(points), 1))) as point_number,
        unnest(points) as record,
        len(points) as point_count
    from (
        select
            *,
            case
                when structure_problem is not null then structure_problem
                when
                    not (metric.sum is null and metric.gauge is null and metric.histogram is null)
                    and coalesce(
                        metric.sum.dataPoints, metric.gauge.dataPoints, metric.histogram.dataPoints
                    ) is null
                    then '{NO_LIST}'
            end as metric_problem,
            coalesce(
                metric.sum.dataPoints, metric.gauge.dataPoints, metric.histogram.dataPoints, []
            ) as points
        from metrics_of_scopes
    )
),
"""
    return f"""
parsed as (
    select
        file_index,
        line_number,
        line,
        try(from_json(line, {_quoted(REQUESTS[signal])})) as request
    from {requests}
),

-- a list that is empty or missing leaves one row, which says so
resources as (
    select
        file_index,
        line_number,
        line,
        unnest(range(greatest(coalesce(len(request.{resources}), 0), 1))) as resource_number,
        unnest(request.{resources}) as resource,
        case
            when request is null then 'the line is not valid JSON'
            when request.{resources} is null then '{NO_LIST}'
        end as line_problem,
        coalesce(len(request.{resources}), 0) = 0 as has_no_resource
    from parsed
),

described as (
    select
        *,
        list_transform(resource.resource.attributes, lambda entry: entry.key) as resource_keys,
        list_transform(resource.resource.attributes, lambda entry: {TEXT}) as resource_texts
    from resources
),

resource_attributes as (
    select
        * exclude (resource_keys, resource_texts){resource_picks}
    from described
),

scopes as (
    select
        * exclude (resource),
        unnest(range(greatest(coalesce(len(resource.{scopes}), 0), 1))) as scope_number,
        unnest(resource.{scopes}) as scope,
        case
            when line_problem is not null then line_problem
            when not has_no_resource and resource.{scopes} is null then '{NO_LIST}'
        end as resource_problem,
        has_no_resource or coalesce(len(resource.{scopes}), 0) = 0 as has_no_scope
    from resource_attributes
),

owned as (
    select
        *,
        scope.scope.name as scope_name
    from scopes
),

{unnested} as (
    select
        * exclude (scope),
        coalesce({is_own}, false) as is_own,
        unnest(range(greatest(coalesce(len(scope.{records}), 0), 1))) as record_number,
        unnest(scope.{records}) as {entry},
        coalesce(len(scope.{records}), 0) as record_count,
        case
            when resource_problem is not null then resource_problem
            when not has_no_scope and scope.{records} is null then '{NO_LIST}'
            when len(scope.{records}) > 0 then null
            else 'empty'
        end as structure_problem
    from owned
),
{points if is_metrics else ""}
fields as (
    select
        file_index,
        line_number,
        line,
        resource_number,
        scope_number,
        record_number,
        {"point_number, point_count," if is_metrics else ""}
        concat_ws('.', {numbers}) as record_path,
        is_own,
        scope_name,
        case
            when {problem} is not null then {problem}
            when is_own and {is_no_object} then 'the record is empty or no object'
        end as structure_problem{resource_outputs}{fields},
        case when is_own then list_transform(record.attributes, lambda entry: entry.key) end
            as keys,
        case when is_own then list_transform(record.attributes, lambda entry: {TEXT}) end
            as texts
    from {"points" if is_metrics else unnested}
),

named as (
    select
        *{first_picks}
    from fields
    where structure_problem is distinct from 'empty'
),

derived as (
    select
        *{derived}
    from named
),

records as (
    select
        * {"" if is_metrics else "exclude (keys, texts)"}{record_picks}
    from derived
)
"""


TEXT = (
    "coalesce(entry.value.stringValue, entry.value.intValue, entry.value.doubleValue, "
    "entry.value.boolValue)"
)


def refused_sql(signal: Signal) -> str:
    """Return the expression for the JSON text of a record of `records_sql`, or of its line."""
    resources, scopes, records = LEVELS[signal]
    numbers = ["resource_number", "scope_number", "record_number"]
    steps = [
        f"'/{name}/' || {number}"
        for name, number in zip((resources, scopes, records), numbers, strict=True)
    ]
    return f"coalesce(try(cast(json_extract(line, {' || '.join(steps)}) as varchar)), line)"


def by_signal(
    lines: pa.Table, connection: duckdb.DuckDBPyConnection
) -> tuple[dict[Signal, pa.Table], pa.Table]:
    """Tell requests apart by their signal.

    ``lines`` has file_index, line_number and line. Returns them by signal, and those that are no
    request with a column ``problem`` (null: a blank line). Nearly every producer writes the list
    of resources first; a line that does not is parsed to find out.
    """
    column = lines.column("line")
    words = pc.struct_field(
        pc.extract_regex(pc.utf8_slice_codeunits(column, 0, 80), SIGNAL_WORD), [0]
    )
    named: dict[Signal, str] = {"logs": "Logs", "traces": "Spans", "metrics": "Metrics"}
    no_requests = lines.slice(0, 0).append_column("problem", pa.array([], pa.string()))
    for signal, word in named.items():
        if pc.all(pc.fill_null(pc.equal(words, word), False)).as_py():
            return {signal: lines}, no_requests  # one signal a file: nearly always
    found = {signal: lines.filter(pc.equal(words, word)) for signal, word in named.items()}
    unclear = lines.filter(pc.is_null(words))
    if unclear.num_rows:
        connection.register("unclear", unclear)
        judged = connection.execute(UNCLEAR).to_arrow_table()
        signals = judged.column("signal")
        for signal in named:
            more = judged.filter(pc.equal(signals, signal)).select(LINES_SCHEMA.names)
            found[signal] = pa.concat_tables([found[signal], more.cast(LINES_SCHEMA)])
        no_requests = judged.filter(pc.is_null(signals)).drop_columns(["signal"])
    return {signal: table for signal, table in found.items() if table.num_rows}, no_requests


SIGNAL_WORD = r"^\s*\{\s*\"resource(?P<signal>Logs|Spans|Metrics)\"\s*:"

UNCLEAR = """
select
    file_index,
    line_number,
    line,
    case
        when not json_valid(line) then null
        when json_exists(line, '$.resourceLogs') then 'logs'
        when json_exists(line, '$.resourceSpans') then 'traces'
        when json_exists(line, '$.resourceMetrics') then 'metrics'
    end as signal,
    case
        when signal is not null or trim(line, ' \t\r\n') = '' then null
        when not json_valid(line) then 'the line is not valid JSON'
        else 'the line is no OTLP export request'
    end as problem
from unclear
"""


def in_slices(requests: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield requests in batches of about 1 MiB.

    DuckDB parses what one batch holds before it goes on, so a batch must fit in the cache: with
    requests of 100 kB the 2,048 rows that it takes by itself are ten times slower.
    """
    for batch in requests.to_batches():
        size = batch.column("line").nbytes
        rows = max(1, batch.num_rows * SLICE_BYTES // max(size, 1))
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


def _pick(found: str, column: str, attributes: Attributes) -> str:
    text = f"nullif({found}, '')"
    if column in attributes.only_where:
        text = f"case when {attributes.only_where[column]} then {text} end"
    return f"coalesce({text}, resource_{column})" if column in attributes.either else text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
