"""Admitted events to rows: columns all the way, and numbers with every digit.

The gate writes an event with its keys in order, so that a line is
``{"data":…,"id":…,"source":…,"subject":…,"time":…,"type":…}``. In a text of JSON a quote is always
escaped, so that the last ``,"id":`` is the event's own: what is before it is the data, letter by
letter. To parse and write it again would cut numbers to what a double holds.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from dlt_pipelines.fingerprints import FINGERPRINT_SCHEMA
from dlt_pipelines.landing import CONTENT_FINGERPRINTS, QUARANTINE
from dlt_pipelines.line_source import Landing, set_aside_sql
from dlt_pipelines.otlp import PUSHED_TYPES
from dlt_pipelines.plugin import LoadContext, RowCounts
from dlt_pipelines.privacy import fingerprint_sql
from dlt_pipelines.sources.events import tables
from dlt_pipelines.sources.events.schema import CALL

if TYPE_CHECKING:
    from dlt.extract import DltResource

BEFORE_DATA, AFTER_DATA = '{"data":', ',"id":'
# the rows of a batch that one of DuckDB's threads takes at a time
ROWS_PER_BATCH = 20_480

ENVELOPE = """{
    "id": "VARCHAR", "source": "VARCHAR", "type": "VARCHAR", "subject": "VARCHAR", "time": "VARCHAR"
}"""
# what every warehouse can hold
WITHIN_TIME = "between timestamp '1970-01-01' and timestamp '2200-01-01'"

ENVELOPES = f"""
create or replace table received as
select
    envelope.source as event_source,
    envelope.id as event_id,
    envelope.type as event_type,
    envelope.subject as subject,
    case when event_time {WITHIN_TIME} then event_time end as event_at,
    received_at,
    line_number,
    case when is_event then data end as data,
    content_hash,
    case when not is_event then line end as refused_line
from (
    select
        *,
        envelope.id is not null and envelope.source is not null and envelope.type is not null
            as is_event,
        try_cast(envelope.time as timestamp) as event_time
    from (
        select
            received_at,
            line_number,
            substr(halves[1], {len(BEFORE_DATA) + 1}) as data,
            line,
            md5(line) as content_hash,
            case
                when starts_with(halves[1], '{BEFORE_DATA}')
                    then try(from_json('{{"id":' || halves[2], '{ENVELOPE}'))
            end as envelope
        from lines
    )
)
"""

REQUESTS = f"""
insert into received by name
select
    '/v1/' || kind as event_source,
    {fingerprint_sql("otlp", "line")} as event_id,
    '{PUSHED_TYPES}' || kind as event_type,
    received_at,
    1 as line_number,
    line as data,
    event_id as content_hash
from requests
"""

LANDED_EVENTS = f"""
select
    $load_id as load_id,
    * exclude (data, refused_line),
    -- telemetry may hold content: it lands as what its plugins make of it
    case when not starts_with(event_type, '{PUSHED_TYPES}') then nullif(data, 'null') end
        as data
from received
where refused_line is null
"""

TEXTS = (
    *("call_id", "vendor", "message_id", "request_id", "session_id", "org_id", "workspace_id"),
    *("api_key_id", "project", "team_id", "user_id", "model_id", "mcp_name", "tool_name"),
    *("tool_use_id", "service_tier", "speed", "inference_geo", "region", "user_region"),
    *("data_classification", "status", "cost_basis"),
)
COUNTS = (
    *("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens"),
    *("output_tokens", "web_search_requests", "latency_ms"),
)


def _shape(members: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": "{kind}"' for name, kind in members.items()) + "}"


CALL_DATA = _shape(
    {
        "timestamp": "VARCHAR",
        "is_sidechain": "BOOLEAN",
        **dict.fromkeys(TEXTS, "VARCHAR"),
        **dict.fromkeys(COUNTS, "BIGINT"),
    }
)

MADE = _shape(
    {
        **dict.fromkeys(("dedup_hash", "normalization", "sketch"), "VARCHAR"),
        **dict.fromkeys(("shingle_count", "sketch_size"), "BIGINT"),
    }
)
# to look for what most calls do not tell would take time
FINGERPRINTS = f"""
    case
        when contains(data, '"dedup_hash":')
            then from_json(data, '{{"prompt": {MADE}, "tool_input": {MADE}}}')
    end
"""

LANDED_CALLS = f"""
select
    $load_id as load_id,
    event_source,
    event_id,
    received_at,
    line_number,
    content_hash,
    -- a day that no month has is an RFC 3339 time to the gate
    coalesce(
        -- an offset is heard only with a time zone's type, which takes longer
        case
            when ends_with(call.timestamp, 'Z') then try_cast(call.timestamp as timestamp)
            else make_timestamp(epoch_us(try_cast(upper(call.timestamp) as timestamptz)))
        end,
        event_at,
        received_at
    ) as called_at,
    {", ".join(f"call.{name} as {name}" for name in (*TEXTS, *COUNTS, "is_sidechain"))},
    -- out of the text itself: as a number it would be a double
    try_cast(
        nullif(regexp_extract(data, '"cost":"?([-+.0-9eE]+)', 1), '') as decimal(38, 15)
    ) as cost_usd,
    made.prompt.dedup_hash as dedup_hash,
    made.tool_input.dedup_hash as input_fingerprint
from (
    select
        *,
        from_json(data, '{CALL_DATA}') as call,
        {FINGERPRINTS} as made
    from received
    where event_type = '{CALL}'
)
"""

LANDED_FINGERPRINTS = "union all".join(
    f"""
    select distinct
        $load_id as load_id,
        $source as source,
        '{kind}' as content_kind,
        {", ".join(f"made.{kind}.{name} as {name}" for name in FINGERPRINT_SCHEMA.names)}
    from (select {FINGERPRINTS} as made from received where event_type = '{CALL}')
    where made.{kind}.dedup_hash is not null
    """
    for kind in ("prompt", "tool_input")
)

OF_OTHERS = """
select event_source, event_id, event_type, subject, data, event_at, received_at
from received
where list_contains($types, event_type)
"""

NO_EVENT = "the line is not an event as the gate admits it"
REFUSED = """
create or replace view refused as
select 0 as file_index, line_number, refused_line from received where refused_line is not null
"""
SET_ASIDE = set_aside_sql("refused", f"'{NO_EVENT}'", "refused.refused_line")

DRAINED = "select $load_id as load_id, $log_id as log_id, $position as position"


class EventRows:
    """Turns what a store holds into files of the raw tables, part by part."""

    def __init__(self, context: LoadContext, types_of_others: Sequence[str]) -> None:
        """Take the types that `add` returns for the plugins that take them."""
        files = pa.table(
            {
                "file_index": pa.array([0], pa.int32()),
                "file_id": ["pushed"],
                "location": ["pushed"],
                "user_id": pa.nulls(1, pa.string()),
                "team_id": pa.nulls(1, pa.string()),
            }
        )
        self._types = list(types_of_others)
        self.landing = Landing(context, "events", tables.ALL, files, {})
        self._counts = context.counts

    def add(self, lines: pa.Table, requests: pa.Table) -> pa.Table:
        """Write the rows of one part; return the events for other plugins.

        ``lines`` has the events (line, line_number, received_at); ``requests`` the telemetry (line,
        kind, received_at).
        """
        landing = self.landing
        halves = pc.split_pattern(lines.column("line"), AFTER_DATA, max_splits=1, reverse=True)
        with landing.unquoted("events"):
            landing.connection.register("lines", _in_batches(lines.append_column("halves", halves)))
            landing.connection.register("requests", requests)
            landing.run(ENVELOPES)
            landing.run(REQUESTS)
            landing.write(tables.EVENTS.name, LANDED_EVENTS)
            landing.write(tables.CALLS.name, LANDED_CALLS)
            landing.write(CONTENT_FINGERPRINTS.name, LANDED_FINGERPRINTS)
            others = landing.connection.execute(OF_OTHERS, {"types": self._types}).to_arrow_table()
            landing.run(REFUSED)
            refused = landing.run(SET_ASIDE)
            landing.write(QUARANTINE.name, "select * from quarantine")
            landing.run("truncate quarantine")
        rows = lines.num_rows + requests.num_rows
        self._counts.add(
            RowCounts(
                rows_read=rows,
                rows_loaded=rows - refused,
                rows_quarantined=refused,
                bytes_read=lines.column("line").nbytes + requests.column("line").nbytes,
            )
        )
        return others

    def finish(self, marks: Sequence[tuple[str, str]]) -> "list[DltResource]":
        """Return the resources, with the positions (log, position) that all before has landed."""
        for log_id, position in marks:
            self.landing.parameters |= {"log_id": log_id, "position": position}
            self.landing.write(tables.DRAINED.name, DRAINED)
        self.landing.connection.close()
        return self.landing.resources()


def _in_batches(table: pa.Table) -> pa.Table:
    """Return the same rows in as many batches as DuckDB needs to use all of its threads."""
    return pa.Table.from_batches(table.to_batches(max_chunksize=ROWS_PER_BATCH), table.schema)
