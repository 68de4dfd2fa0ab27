"""What sources of OTLP/JSON share: files of a collector, pushed requests, and how they become rows.

A source says which records are its own, which attributes it reads and what a typed row of each
signal is (`SignalRows`); the rest is the same.
"""

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from dlt_pipelines import content, otlp
from dlt_pipelines.jsonl_files import LINES_SCHEMA, LineBatch
from dlt_pipelines.landing import QUARANTINE
from dlt_pipelines.line_source import (
    Landing,
    LinePlugin,
    LineReader,
    LineRoot,
    files_below,
    set_aside_sql,
)
from dlt_pipelines.otlp import Attributes, Signal
from dlt_pipelines.plugin import Config, RowCounts
from dlt_pipelines.privacy import fingerprint_sql

if TYPE_CHECKING:
    from dlt.extract import DltResource

SUFFIXES = (".json", ".jsonl", ".ndjson")
BYTES_PER_PART = 192 * 2**20


class OtlpConfig(BaseModel):
    """What every source of OTLP files can be told."""

    model_config = ConfigDict(extra="forbid")

    roots: list[LineRoot] = Field(
        default_factory=list,
        description="Files that a collector's file exporter wrote, or folders of them. A root's "
        "user and team count where a record names none.",
    )
    team_attributes: list[str] = Field(
        ["team.id", "team"],
        description="Attributes, of the resource or the record, that name the team; first wins.",
    )
    project_attributes: list[str] = Field(
        ["project.id", "project"],
        description="Attributes, of the resource or the record, that name the project.",
    )


@dataclass(frozen=True)
class SignalRows:
    """How one signal's records become rows.

    ``typed`` selects from ``records`` of `otlp.records_sql` and must keep its columns up to
    ``structure_problem``, and add user_name (text or null), problem (why the record cannot be
    used, null if it can) and is_loaded. ``landed`` queries by raw table read ``rows``, which adds
    refused_record, ``people`` (user_name, pseudonym) and ``files``, and where
    there are ``contents`` also ``fingerprints``.
    """

    attributes: Attributes
    typed: str
    landed: Mapping[str, str]
    counted: str | None = None
    """The column of ``typed`` that names a record's type, where types are counted in ``seen``."""
    contents: str | None = None
    """The query of `Landing.fingerprint`, where records of the signal may hold content."""


@dataclass
class OtlpReader(LineReader):
    """Turns export requests into files of the raw tables."""

    landing: Landing
    is_own: str
    signals: Mapping[Signal, SignalRows]
    """A signal that is not here is counted as ignored."""

    def __post_init__(self) -> None:
        """Make what the statements of a part need."""
        for macro in (*otlp.MACROS, *content.MACROS):
            self.landing.run(macro)
        self.landing.run(
            "create table seen (signal varchar, record_type varchar, record_count bigint)"
        )

    def part(self, first: LineBatch, more: Iterator[LineBatch]) -> Iterator[LineBatch]:
        """Yield batches until there are enough bytes for a file."""
        yield first
        size = first.bytes_read
        while size < BYTES_PER_PART and (batch := next(more, None)):
            yield batch
            size += batch.bytes_read

    def add(self, batches: Iterator[LineBatch]) -> RowCounts:
        """Write one part; return what it held.

        Raises MindweaveError without DuckDB's own words, which may quote what it read.
        """
        held = list(batches)
        with self.landing.unquoted("OTLP requests"):
            undecodable = self.landing.quarantine_undecodable([batch.undecodable for batch in held])
            counts = self.add_requests(pa.concat_tables([batch.lines for batch in held]))
        counts.rows_read += undecodable
        counts.rows_quarantined += undecodable
        counts.bytes_read += sum(batch.bytes_read for batch in held)
        return counts

    def add_requests(self, requests: pa.Table) -> RowCounts:
        """Write the rows of export requests, and what was set aside until now.

        ``requests`` has file_index, line_number and line (the request's text).
        """
        counts = RowCounts()
        signals, no_requests = otlp.by_signal(requests, self.landing.connection)
        for signal, texts in signals.items():
            counts.add(self._add_signal(signal, texts))
        if no_requests.num_rows:
            self.landing.connection.register("no_requests", no_requests)
            broken = self.landing.run(NO_REQUESTS)
            counts.rows_read += no_requests.num_rows
            counts.rows_quarantined += broken
            counts.rows_ignored += no_requests.num_rows - broken
        self.landing.write(QUARANTINE.name, "select * from quarantine")
        self.landing.run("truncate quarantine")
        return counts

    def _add_signal(self, signal: Signal, texts: pa.Table) -> RowCounts:
        landing = self.landing
        rows = self.signals.get(signal, IGNORED)
        slices = pa.RecordBatchReader.from_batches(texts.schema, otlp.in_slices(texts))
        landing.connection.register("requests", slices)
        records = otlp.records_sql(signal, rows.attributes, self.is_own, "requests")
        landing.run(
            f"""
            create or replace table rows as
            with {records},
            typed as ({rows.typed})
            select
                * exclude (line, problem, is_loaded),
                coalesce(structure_problem, problem) as problem,
                is_loaded and coalesce(structure_problem, problem) is null as is_loaded,
                case
                    when coalesce(structure_problem, problem) is not null
                        then {otlp.refused_sql(signal)}
                end as refused_record
            from typed
            """
        )
        landing.run(PEOPLE)
        if rows.contents:
            landing.fingerprint(rows.contents)
        counts = RowCounts(
            rows_read=landing.run("select count(*) from rows"),
            rows_loaded=landing.run("select count(*) from rows where is_loaded"),
            rows_quarantined=landing.run(REFUSED_RECORDS),
        )
        counts.rows_ignored = counts.rows_read - counts.rows_loaded - counts.rows_quarantined
        for table, query in rows.landed.items():
            landing.write(table, query)
        if rows.counted:
            landing.run(RECORD_TYPES.format(signal=signal, type=rows.counted))
        landing.run("drop table rows")
        return counts


def pushed_types(*signals: Signal) -> Mapping[str, Mapping[str, Any]]:
    """Return the event types of pushed export requests, which come in by addresses of their own."""
    return {f"{otlp.PUSHED_TYPES}{signal}": {"type": "object"} for signal in signals}


class OtlpPlugin(LinePlugin[Config]):
    """A source of OTLP/JSON, in files or pushed."""

    whole_documents = True

    def files_under(self, root: Path) -> Iterator["os.DirEntry[str] | Path"]:
        """Yield the JSON files of a folder; a file that is named is read whatever its name."""
        if os.path.isfile(root):
            yield root
            return
        yield from files_below(root, SUFFIXES)

    def handle_events(self, events: pa.Table) -> Iterable["DltResource"]:
        """Return the rows of pushed export requests; each is as a file of one line.

        A request that comes again is the same file, so that its records have the same places.
        """
        numbers = pa.array(range(events.num_rows), pa.int32())
        nobody = pa.nulls(events.num_rows, pa.string())
        files = pa.table(
            {
                "file_index": numbers,
                "file_id": events.column("event_id"),
                "location": events.column("event_source"),
                "user_id": nobody,
                "team_id": nobody,
            }
        )
        requests = pa.table(
            {
                "file_index": numbers,
                "line_number": pa.array([1] * events.num_rows, pa.int64()),
                "line": events.column("data"),
            }
        ).cast(LINES_SCHEMA)
        reader, counts = self.reader(files), self.context.counts
        counts.bytes_read += requests.column("line").nbytes
        with reader.landing.unquoted("OTLP requests"):
            counts.add(reader.add_requests(requests))
        counts.add(reader.finish([]))
        return reader.landing.resources()

    @abstractmethod
    def reader(self, files: pa.Table) -> OtlpReader:
        """Return what turns requests of ``files`` into rows."""

    def nothing_found(self, looked_at: str) -> str:
        """Return what to say where no root holds a file."""
        where = f"in {looked_at}" if looked_at else f"as sources.{self.name}.roots names none"
        return (
            f"no OTLP files found {where}: name what a collector's file exporter writes with "
            f"--path, or in `roots` of [sources.{self.name}]"
        )


IGNORED = SignalRows(
    Attributes(),
    "select *, null as user_name, null as problem, false as is_loaded from records",
    {},
)

# a person is an e-mail address, else an id: whichever the record has
PEOPLE = f"""
create or replace table people as
select
    user_name,
    'person_' || left({fingerprint_sql("person", "user_name")}, 16) as pseudonym
from (select distinct user_name from rows where user_name is not null and is_loaded) as names
"""

RECORD_TYPES = """
insert into seen
select '{signal}', coalesce(as_word({type}), 'other'), count(*)
from rows
where is_own and problem is null
group by all
"""

REFUSED_RECORDS = set_aside_sql("rows", "rows.problem", "rows.refused_record")
NO_REQUESTS = set_aside_sql("no_requests", "no_requests.problem", "no_requests.line")
