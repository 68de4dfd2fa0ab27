"""What sources of JSON lines on disk share: finding files, bookmarks, quarantine, landing.

A source is a `LinePlugin` (where its files are) with a `LineReader` (what its lines say). Only new
bytes are read; the warehouse deduplicates, so reading a line again is harmless. A reader works in
DuckDB, whose memory is the only place where content is seen.
"""

import getpass
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from dlt_pipelines.config import expand_path
from dlt_pipelines.content import CONTENT_FINGERPRINTS_OF_LOAD, make_fingerprints
from dlt_pipelines.duckdb_warehouse import explain_duckdb
from dlt_pipelines.errors import MindweaveError, NothingFoundError
from dlt_pipelines.fingerprints import Fingerprinter
from dlt_pipelines.jsonl_files import Bookmark, JsonlFile, LineBatch, read_lines, unread_part
from dlt_pipelines.landing import (
    CONTENT_FINGERPRINTS,
    QUARANTINE,
    LandingTable,
    RawTable,
    newest_sql,
    run_statement,
)
from dlt_pipelines.observed_rows import landed
from dlt_pipelines.plugin import Config, LoadContext, RowCounts, SourcePlugin
from dlt_pipelines.privacy import fingerprint_sql

if TYPE_CHECKING:
    from dlt.extract import DltResource


class LineRoot(BaseModel):
    """A folder of files, or a single file, and whose they are."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Field(description="A folder, which is searched, or a file.")
    user: str | None = Field(None, description="Whose files these are; at once a pseudonym.")
    team: str | None = Field(None, description="The team that the cost belongs to.")


def files_table(source: str) -> RawTable:
    """Return the raw table that says how far each file of ``source`` was read."""
    return RawTable(
        f"{source}_files",
        {
            "load_id": "text",
            "file_id": "text",
            "size_bytes": "bigint",
            "modified_ns": "bigint",
            "consumed_bytes": "bigint",
            "consumed_lines": "bigint",
            "prefix_hash": "text",
        },
    )


class LinePlugin(SourcePlugin[Config]):
    """A source whose records are lines of files."""

    whole_documents: ClassVar[bool] = False
    """Whether a file may be a single JSON document over several lines."""

    @abstractmethod
    def roots(self) -> Sequence[LineRoot]:
        """Return where to look."""

    @abstractmethod
    def files_under(self, root: Path) -> Iterator["os.DirEntry[str] | Path"]:
        """Yield the files to read under one root."""

    @abstractmethod
    def nothing_found(self, looked_at: str) -> str:
        """Return what to say where no root holds a file."""

    @abstractmethod
    def reader(self, files: pa.Table) -> "LineReader":
        """Return what turns lines of ``files``, as `described` returns them, into rows."""

    def person_of(self, root: LineRoot) -> str | None:
        """Return the pseudonym of the person whose files are under ``root``."""
        return self.context.key.person(root.user) if root.user else None

    def fetch(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterable["DltResource"]:
        """Return the new lines; ``since`` and ``until`` go by a file's time of change.

        Raises NothingFoundError where no root holds a file.
        """
        found, owners = self._find_files(since, until)
        bookmarks = read_bookmarks(self.context, files_table(self.name))
        key = self.context.key.secret
        unread = [unread_part(file, bookmarks.get(file.file_id), key) for file in found]
        files = [file for file in unread if file]
        if not files:
            return []
        return self._land(files, [owners[file.file_id] for file in files])

    def _land(self, files: list[JsonlFile], roots: list[LineRoot]) -> list["DltResource"]:
        context, counts = self.context, self.context.counts
        total = sum(file.unread_bytes for file in files)
        context.progress(0, total)
        reader = self.reader(self._described(files, roots))
        batches = read_lines(files, context.key.secret, whole_documents=self.whole_documents)
        for first in batches:
            counts.add(reader.add(reader.part(first, batches)))
            context.progress(counts.bytes_read, total)
        counts.add(reader.finish(files))
        # no file was touched where there are only last lines that are still being written
        return reader.landing.resources() if counts.files_read else []

    def _described(self, files: list[JsonlFile], roots: list[LineRoot]) -> pa.Table:
        """Return what is known of each file: its pseudonymous place, its person and team."""
        key = self.context.key
        people = {
            user: self.person_of(root) for user, root in {root.user: root for root in roots}.items()
        }
        split = [os.path.split(file.path) for file in files]
        places = {folder: key.fingerprint("path", folder)[:12] for folder in {f for f, _ in split}}
        return pa.table(
            {
                "file_index": pa.array(range(len(files)), pa.int32()),
                "file_id": [file.file_id for file in files],
                "location": [f"{places[folder]}/{name}" for folder, name in split],
                "user_id": pa.array([people[root.user] for root in roots], pa.string()),
                "team_id": pa.array([root.team for root in roots], pa.string()),
            }
        )

    def _find_files(
        self, since: datetime | None, until: datetime | None
    ) -> tuple[list[JsonlFile], dict[str, LineRoot]]:
        roots = self.roots()
        key = self.context.key
        files: dict[str, JsonlFile] = {}
        owners: dict[str, LineRoot] = {}
        for root in roots:
            for entry in self.files_under(expand_path(root.path, self.context.home)):
                try:
                    status = entry.stat()
                except OSError:  # gone since it was listed
                    continue
                changed_at = status.st_mtime
                if (since and changed_at < since.timestamp()) or (
                    until and changed_at >= until.timestamp()
                ):
                    continue
                path = os.path.abspath(entry)
                file_id = key.fingerprint("file", path)[:32]
                files[file_id] = JsonlFile(path, file_id, status.st_size, status.st_mtime_ns)
                owners.setdefault(file_id, root)
        if not files:
            looked_at = ", ".join(str(expand_path(root.path, self.context.home)) for root in roots)
            raise NothingFoundError(self.nothing_found(looked_at))
        return list(files.values()), owners


def login_name() -> str:
    """Return who runs this program."""
    return getpass.getuser()


def files_below(folder: Path, suffixes: tuple[str, ...]) -> Iterator["os.DirEntry[str] | Path"]:
    """Yield the files in ``folder`` and below whose names end in one of ``suffixes``, sorted."""
    folders: list[str | Path] = [folder]
    while folders:
        current = folders.pop()
        try:
            with os.scandir(current) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.name.endswith(suffixes) and os.path.isfile(entry):
                        yield entry
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:
            yield Path(current)  # reading it will say so, in the quarantine


def read_bookmarks(context: LoadContext, table: RawTable) -> dict[str, Bookmark]:
    """Return the newest bookmark of each file that a completed load wrote to ``table``."""
    read_so_far = [field.name for field in fields(Bookmark)]
    rows = landed(context, newest_sql(table.name, ["file_id", *read_so_far], ["file_id"]))
    return {row["file_id"]: Bookmark(*map(row.__getitem__, read_so_far)) for row in rows}


def set_aside_sql(rows: str, problem: str, text: str, size: str = "") -> str:
    """Return the statement that sets aside the ``rows`` that have a ``problem``.

    ``rows`` has file_index and line_number; ``problem``, ``text`` (what the row's fingerprint is
    of) and ``size`` (its bytes, those of the text without its newline by default) are expressions.
    """
    return f"""
insert into quarantine by name
select
    $load_id as load_id,
    $source as source,
    files.location,
    {rows}.line_number,
    {problem} as reason,
    {fingerprint_sql("line", text)} as row_fingerprint,
    {size or f"strlen(rtrim({text}, chr(10)))"} as row_bytes,
    cast(now() as timestamp) as quarantined_at
from {rows}
inner join files on {rows}.file_index = files.file_index
where {problem} is not null
"""


UNDECODABLE_LINES = set_aside_sql(
    "undecodable",
    "'the line is not UTF-8'",
    "hex(undecodable.line)",
    "octet_length(undecodable.line) - 1",
)

BOOKMARKS = """
select
    $load_id as load_id,
    unnest(
        from_json(
            $bookmarks,
            '[{"file_id": "VARCHAR", "size_bytes": "BIGINT", "modified_ns": "BIGINT",
               "consumed_bytes": "BIGINT", "consumed_lines": "BIGINT", "prefix_hash": "VARCHAR"}]'
        ),
        recursive := true
    )
"""

PROBLEMS = """
select
    $load_id as load_id,
    $source as source,
    files.location,
    problems.line_number,
    problems.reason,
    null as row_fingerprint,
    null as row_bytes,
    cast(now() as timestamp) as quarantined_at
from (
    select unnest(
        from_json(
            $problems, '[{"file_index": "INTEGER", "line_number": "BIGINT", "reason": "VARCHAR"}]'
        ),
        recursive := true
    )
) as problems
inner join files on problems.file_index = files.file_index
"""


class Landing:
    """A DuckDB session and the files of raw tables that it writes.

    It holds the tables ``files`` (as `LinePlugin` describes them) and ``quarantine``.
    """

    def __init__(
        self,
        context: LoadContext,
        source: str,
        tables: Sequence[RawTable],
        files: pa.Table,
        parameters: Mapping[str, Any],
    ) -> None:
        """Open a session; statements may name the ``parameters``, $load_id, $source and keys."""
        self.source = source
        self.parameters: dict[str, Any] = {
            "load_id": context.load_id,
            "source": source,
            **parameters,
            **context.key.sql_parameters(),
        }
        self._tables = {
            table.name: LandingTable(table, context.landing, context.bulk_format)
            for table in (*tables, QUARANTINE, CONTENT_FINGERPRINTS)
        }
        self._fingerprinter = Fingerprinter(context.key, context.fingerprints)
        self.connection = duckdb.connect(config={"autoinstall_known_extensions": False})
        # content must not spill to the disk, and a time without a zone is UTC
        self.connection.execute("set temp_directory = ''; set timezone = 'UTC'")
        self.connection.execute("set preserve_insertion_order = false")
        self.connection.register("described_files", files)
        self.connection.execute("create table files as select * from described_files")
        self.connection.execute(QUARANTINE.create_sql())

    def run(self, statement: str) -> int:
        """Run a statement; return the first number of its result."""
        return run_statement(self.connection, statement, self.parameters)

    def write(self, table: str, query: str) -> None:
        """Write the rows of ``query`` as one more file of a raw table."""
        self._tables[table].write(self.connection, query, self.parameters)

    def table(self, query: str) -> pa.Table:
        """Return the rows of a query, in no order; with parameters DuckDB would copy them first."""
        return self.connection.sql(query).to_arrow_table()

    def gather(self, table: str, rows: pa.Table) -> None:
        """Add rows of its shape to the file of a raw table, where the warehouse takes Parquet."""
        landing = self._tables[table]
        if landing.file_format == "parquet":
            landing.gather(rows)
        else:
            self.connection.register("gathered", rows)
            self.write(table, "from gathered")

    def fingerprint(self, query: str) -> None:
        """Make the table ``fingerprints`` of the contents of ``query``, and land what it holds.

        See `make_fingerprints`.
        """
        make_fingerprints(self.connection, self._fingerprinter, query, self.parameters)
        self.write(CONTENT_FINGERPRINTS.name, CONTENT_FINGERPRINTS_OF_LOAD)

    def quarantine_undecodable(self, lines: list[pa.Table]) -> int:
        """Set lines aside that are not UTF-8; return how many."""
        self.connection.register("undecodable", pa.concat_tables(lines))
        return self.run(UNDECODABLE_LINES)

    def finish(self, files: Sequence[JsonlFile]) -> RowCounts:
        """Write what is known once every line is read: bookmarks, and files with problems."""
        touched = [file for file in files if file.consumed_lines or file.problems]
        bookmarks = [asdict(file.bookmark()) | {"file_id": file.file_id} for file in touched]
        problems = [
            {"file_index": index, "line_number": line_number, "reason": reason}
            for index, file in enumerate(files)
            for line_number, reason in file.problems
        ]
        self.parameters |= {"bookmarks": json.dumps(bookmarks), "problems": json.dumps(problems)}
        self.write(QUARANTINE.name, PROBLEMS)
        self.write(files_table(self.source).name, BOOKMARKS)
        self.connection.close()
        return RowCounts(
            rows_read=len(problems), rows_quarantined=len(problems), files_read=len(touched)
        )

    def resources(self) -> "list[DltResource]":
        """Return the dlt resources that hand over what was written."""
        return [table.resource() for table in self._tables.values()]

    @contextmanager
    def unquoted(self, what: str) -> Iterator[None]:
        """Raise MindweaveError without DuckDB's own words, which may quote what it read."""
        try:
            yield
        except duckdb.IOException as error:
            raise explain_duckdb(error, Path("the landing folder")) from None
        except duckdb.Error as error:
            raise MindweaveError(
                f"source {self.source}: reading {what} failed ({type(error).__name__}); "
                "nothing of this run was loaded"
            ) from None


class LineReader(ABC):
    """Turns lines into files of the raw tables, part by part."""

    landing: Landing

    @abstractmethod
    def part(self, first: LineBatch, more: Iterator[LineBatch]) -> Iterator[LineBatch]:
        """Yield batches, ``first`` and as many more as fit in memory once they are rows."""

    @abstractmethod
    def add(self, batches: Iterator[LineBatch]) -> RowCounts:
        """Write one part; return what it held."""

    def finish(self, files: Sequence[JsonlFile]) -> RowCounts:
        """Write the rest, once every line is read."""
        return self.landing.finish(files)
