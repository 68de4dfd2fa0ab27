"""Admitted events to rows: columns all the way, and numbers with every digit.

The gate writes an event with its keys in order, so that a line is
``{"data":…,"id":…,"source":…,"subject":…,"time":…,"type":…}``. In a text of JSON a quote is always
escaped, so that the last ``,"id":`` is the event's own: what is before it is the data, letter by
letter. To parse and write it again would cut numbers to what a double holds.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from dlt_pipelines.fingerprints import FINGERPRINT_SCHEMA
from dlt_pipelines.landing import CONTENT_FINGERPRINTS, QUARANTINE, RawTable
from dlt_pipelines.line_source import Landing, set_aside_sql
from dlt_pipelines.otlp import PUSHED_TYPES
from dlt_pipelines.plugin import LoadContext, RowCounts
from dlt_pipelines.privacy import fingerprint_sql
from dlt_pipelines.sources.events import tables
from dlt_pipelines.sources.events.schema import CALL

if TYPE_CHECKING:
    from dlt.extract import DltResource

BEFORE_DATA, AFTER_DATA = '{"data":', ',"id":'
# what one of DuckDB's threads takes at a time is this part of all
BATCHES = 16

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


MADE = {
    **dict.fromkeys(("dedup_hash", "normalization", "sketch"), "VARCHAR"),
    **dict.fromkeys(("shingle_count", "sketch_size"), "BIGINT"),
}
# to look for what most calls do not tell would take time
FINGERPRINTS = f"""
    case
        when contains(data, '"dedup_hash":')
            then try(from_json(data, '{json.dumps({"prompt": MADE, "tool_input": MADE})}'))
    end
"""

EVENT = json.dumps(
    {
        "data": {
            "timestamp": "VARCHAR",
            "is_sidechain": "BOOLEAN",
            **dict.fromkeys(TEXTS, "VARCHAR"),
            **dict.fromkeys(COUNTS, "BIGINT"),
        },
        **dict.fromkeys(("id", "source", "type", "subject", "time"), "VARCHAR"),
    }
)
# what every warehouse can hold
WITHIN_TIME = "between timestamp '1970-01-01' and timestamp '2200-01-01'"

# an entry ends with the end of its last line, which begins no other
TEXT = "case when ends_with(body, chr(10)) then body[:-2] else body end"

# An event and what it tells of a call, in one go: to look at each line twice takes twice as long.
RECEIVED = f"""
select
    nullif(event.source, '') as event_source,
    nullif(event.id, '') as event_id,
    received_at,
    line_number,
    content_hash,
    nullif(event.type, '') as event_type,
    nullif(event.subject, '') as subject,
    case when event_time {WITHIN_TIME} then event_time end as event_at,
    case when is_event then nullif(data, 'null') end as data,
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
    {", ".join(f"nullif(call.{name}, '') as {name}" for name in TEXTS)},
    {", ".join(f"call.{name} as {name}" for name in (*COUNTS, "is_sidechain"))},
    -- out of the text itself: as a number it would be a double
    try_cast(
        nullif(regexp_extract(data, '"cost":"?([-+.0-9eE]+)', 1), '') as decimal(38, 15)
    ) as cost_usd,
    nullif(made.prompt.dedup_hash, '') as dedup_hash,
    nullif(made.tool_input.dedup_hash, '') as input_fingerprint,
    case when not is_event then line end as refused_line
from (
    select
        *,
        event.data as call,
        {FINGERPRINTS} as made,
        coalesce(
            event.id is not null
            and event.source is not null
            and not starts_with(event.type, '{PUSHED_TYPES}'),
            false
        ) as is_event,
        try_cast(event.time as timestamp) as event_time
    from (
        select
            received_at,
            line_number,
            line,
            substr(
                line,
                {len(BEFORE_DATA) + 1},
                length(line) - {len(BEFORE_DATA) + len(AFTER_DATA)} - length(pieces[-1])
            ) as data,
            md5(line) as content_hash,
            case
                when starts_with(line, '{BEFORE_DATA}') and len(pieces) > 1
                    then try(from_json(line, '{EVENT}'))
            end as event
        from (
            select
                received_at,
                line,
                line_number,
                string_split(line, '{AFTER_DATA}') as pieces
            from (
                select
                    received_at,
                    unnest(lines) as line,
                    unnest(range(1, len(lines) + 1)) as line_number
                from (
                    select
                        received_at,
                        string_split({TEXT}, chr(10)) as lines
                    from bodies
                )
            )
        )
    )
)
"""

REQUESTS = f"""
create or replace table sent as
select
    '/v1/' || kind as event_source,
    {fingerprint_sql("otlp", "line")} as event_id,
    received_at,
    cast(1 as bigint) as line_number,
    event_id as content_hash,
    '{PUSHED_TYPES}' || kind as event_type,
    cast(null as varchar) as subject,
    cast(null as timestamp) as event_at,
    line as data
from (select *, {TEXT} as line from requests)
"""

LANDED_FINGERPRINTS = "union all".join(
    f"""
    select distinct
        $load_id as load_id,
        $source as source,
        '{kind}' as content_kind,
        {", ".join(f"made.{kind}.{name} as {name}" for name in FINGERPRINT_SCHEMA.names)}
    from (select {FINGERPRINTS} as made from calls)
    where made.{kind}.dedup_hash is not null
    """
    for kind in ("prompt", "tool_input")
)

NO_EVENT = "the line is not an event as the gate admits it"
SET_ASIDE = set_aside_sql("refused", f"'{NO_EVENT}'", "refused.refused_line")

DRAINED = "select $load_id as load_id, $log_id as log_id, $position as position"

OF_OTHERS = (
    *("event_source", "event_id", "event_type", "subject", "data", "event_at", "received_at"),
)


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

    def add(self, bodies: pa.Table, requests: pa.Table) -> pa.Table:
        """Write the rows of one part; return the events for other plugins.

        Both have the columns body, kind and received_at: ``bodies`` of events, one a line, and
        ``requests`` of telemetry.
        """
        landing = self.landing
        with landing.unquoted("events"):
            landing.connection.register("bodies", _in_batches(bodies))
            landing.connection.register("requests", requests)
            landing.run(REQUESTS)
            received, sent = landing.table(RECEIVED), landing.table("from sent")
            is_event = pc.is_null(received.column("refused_line"))
            refused = self._set_aside(_where(received, pc.invert(is_event)))
            events = _where(received, is_event)
            self._gather(tables.EVENTS, events)
            # telemetry may hold content: it lands as what its plugins make of it
            self._gather(tables.EVENTS, sent.drop_columns("data"))
            calls = _where(events, pc.equal(events.column("event_type"), CALL))
            self._gather(tables.CALLS, calls)
            self._add_fingerprints(calls)
        rows = received.num_rows + requests.num_rows
        self._counts.add(
            RowCounts(
                rows_read=rows,
                rows_loaded=rows - refused,
                rows_quarantined=refused,
                bytes_read=bodies.column("body").nbytes + requests.column("body").nbytes,
            )
        )
        types = pa.array(self._types, pa.string())
        return pa.concat_tables(
            _where(found, pc.is_in(found.column("event_type"), types)).select(OF_OTHERS)
            for found in (events, sent)
        )

    def finish(self, marks: Sequence[tuple[str, str]]) -> "list[DltResource]":
        """Return the resources, with the positions (log, position) that all before has landed."""
        for log_id, position in marks:
            self.landing.parameters |= {"log_id": log_id, "position": position}
            self.landing.write(tables.DRAINED.name, DRAINED)
        self.landing.connection.close()
        return self.landing.resources()

    def _gather(self, table: RawTable, rows: pa.Table) -> None:
        """Add rows of this load; what they have no column of is null."""
        schema = table.no_rows().schema
        found = {
            **{name: pa.nulls(rows.num_rows) for name in schema.names},
            **dict(zip(rows.column_names, rows.columns, strict=True)),
            "load_id": pa.repeat(self.landing.parameters["load_id"], rows.num_rows),
        }
        self.landing.gather(table.name, pa.table(found).select(schema.names).cast(schema))

    def _add_fingerprints(self, calls: pa.Table) -> None:
        """Add the fingerprints that the gate made of what was asked, where it made any."""
        made = ("dedup_hash", "input_fingerprint")
        if any(calls.column(name).null_count < calls.num_rows for name in made):
            self.landing.connection.register("calls", calls)
            self.landing.write(CONTENT_FINGERPRINTS.name, LANDED_FINGERPRINTS)

    def _set_aside(self, refused: pa.Table) -> int:
        """Put lines in the quarantine; return how many."""
        if not refused.num_rows:
            return 0
        file_index = pa.repeat(pa.scalar(0, pa.int32()), refused.num_rows)
        self.landing.connection.register("refused", refused.append_column("file_index", file_index))
        count = self.landing.run(SET_ASIDE)
        self.landing.write(QUARANTINE.name, "from quarantine")
        self.landing.run("truncate quarantine")
        return count


def _where(table: pa.Table, is_meant: pa.ChunkedArray) -> pa.Table:
    """Return the rows that are meant: mostly all, and then the table itself."""
    is_known = pc.fill_null(is_meant, False)
    return table if pc.all(is_known, min_count=0).as_py() else table.filter(is_known)


def _in_batches(table: pa.Table) -> pa.Table:
    """Return the same rows in as many batches as DuckDB needs to use all of its threads."""
    size = max(1, table.num_rows // BATCHES)
    return pa.Table.from_batches(table.to_batches(max_chunksize=size), table.schema)
