"""A bill or a usage list from anywhere: files whose columns the configuration maps to ours.

<path>.csv, .jsonl, also .gz  ->  call_events, tool_call_events, usage_bucket_events or cost_events
                                  csv_files            what was read of each file

A file that changed is read again and replaces what it said; one that did not says nothing new.
"""

import csv
import glob
import gzip
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from dlt_pipelines.config import expand_path
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.landing import CANONICAL_TABLES, CONTENT_FINGERPRINTS, newest_sql
from dlt_pipelines.observed_rows import ObservedRows, landed
from dlt_pipelines.plugin import SourcePlugin
from dlt_pipelines.sources.csv import tables
from dlt_pipelines.sources.csv.mapping import MappedFiles
from dlt_pipelines.sources.csv.transform import UnreadableFileError, land_file, land_rows

if TYPE_CHECKING:
    from dlt.extract import DltResource

READ_BYTES = 2**20
LONGEST_HEADER = 2**20
UTF8_MARK = "\ufeff"


class CsvConfig(BaseModel):
    """Configuration of the source csv."""

    model_config = ConfigDict(extra="forbid")

    files: list[MappedFiles] = Field(
        min_length=1, description="The files to read, by shape; see README.md for examples."
    )


@dataclass(frozen=True)
class FoundFile:
    """A file that is there; ``location`` names its folder by a keyed fingerprint."""

    path: str
    file_id: str
    location: str
    size_bytes: int
    modified_ns: int


class CsvPlugin(SourcePlugin[CsvConfig]):
    """Read files by a mapping of their columns."""

    name = "csv"
    version = "1.0.0"
    configuration = CsvConfig
    tables = tables.ALL

    def fetch(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterable["DltResource"]:
        """Return what changed; ``since`` and ``until`` go by a file's time of change.

        Raises MindweaveError where a file or one of its mapped columns is missing.
        """
        found = [
            (files, file)
            for files in self.config.files
            for file in self._find_files(files, since, until)
        ]
        known = self._known_files()
        observed = ObservedRows(
            self.context, self.name, (*CANONICAL_TABLES, tables.FILES, CONTENT_FINGERPRINTS)
        )
        total = sum(file.size_bytes for _, file in found)
        done = 0
        said = {
            (row["source_name"], row["kind"], row["mapping_hash"], row["content_hash"]): file_id
            for file_id, row in known.items()
        }
        for files, file in found:
            self.context.progress(done, total)
            done += file.size_bytes
            before = known.get(file.file_id)
            now = {
                "file_id": file.file_id,
                "source_name": files.name,
                "kind": files.kind,
                "size_bytes": file.size_bytes,
                "modified_ns": file.modified_ns,
                "mapping_hash": files.fingerprint(),
            }
            if before and all(before[name] == value for name, value in now.items()):
                continue
            now["content_hash"] = self._content_hash(file)
            same = (files.name, files.kind, now["mapping_hash"], now["content_hash"])
            if same in said:  # only touched, or a copy of what was read elsewhere
                continue
            said[same] = file.file_id
            self._read(files, file, now, observed, is_known=before is not None)
        return observed.resources()

    def _read(
        self,
        files: MappedFiles,
        file: FoundFile,
        now: dict[str, Any],
        observed: ObservedRows,
        is_known: bool,
    ) -> None:
        counts = self.context.counts
        try:
            header = _header(files, file)
            rows = land_rows(self.context, observed, files, file, header, is_known)
            now |= {"row_count": rows, "is_readable": True}
        except UnreadableFileError as error:
            observed.quarantine(file.location, str(error), now["content_hash"])
            now |= {"row_count": 0, "is_readable": False}
        counts.files_read += 1
        counts.bytes_read += file.size_bytes
        land_file(self.context, observed, now)

    def _find_files(
        self, files: MappedFiles, since: datetime | None, until: datetime | None
    ) -> list[FoundFile]:
        pattern = str(expand_path(files.path, self.context.home))
        paths = sorted(glob.glob(pattern, recursive=True)) or (
            [pattern] if os.path.exists(pattern) else []
        )
        if not paths:
            raise MindweaveError(f"source csv: there is no file {pattern}: check files.path")
        key = self.context.key
        found = []
        for path in paths:
            path = os.path.abspath(path)
            status = os.stat(path)
            changed_at = datetime.fromtimestamp(status.st_mtime, UTC).replace(tzinfo=None)
            if (since and changed_at < since) or (until and changed_at >= until):
                continue
            folder, name = os.path.split(path)
            # one file may be mapped to several kinds of rows
            identity = f"{files.name}\x1f{files.kind}\x1f{path}"
            found.append(
                FoundFile(
                    path=path,
                    file_id=key.fingerprint("file", identity)[:24],
                    location=f"{key.fingerprint('path', folder)[:12]}/{name}",
                    size_bytes=status.st_size,
                    modified_ns=status.st_mtime_ns,
                )
            )
        return found

    def _known_files(self) -> dict[str, Mapping[str, Any]]:
        query = newest_sql(tables.FILES.name, tables.FILES.columns, ["file_id"])
        rows = landed(self.context, query)
        return {row["file_id"]: row for row in rows}

    def _content_hash(self, file: FoundFile) -> str:
        digest = hashlib.blake2b(key=self.context.key.secret, digest_size=16)
        try:
            with open(file.path, "rb") as stream:
                while block := stream.read(READ_BYTES):
                    digest.update(block)
        except OSError as error:
            raise MindweaveError(f"source csv: cannot read {file.path}: {error.strerror}") from None
        return digest.hexdigest()


def _header(files: MappedFiles, file: FoundFile) -> list[str]:
    """Return the names of a CSV file's columns, none for an empty file or JSON lines.

    Reads all of a .gz, which may be cut short. Raises MindweaveError for a column that is missing.
    """
    is_packed = file.path.endswith(".gz")
    is_jsonl = is_json_lines(file.path)
    try:
        with gzip.open(file.path) if is_packed else open(file.path, "rb") as stream:
            start = stream.read(LONGEST_HEADER)
            while is_packed and stream.read(READ_BYTES):
                pass
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        reason = "is cut short" if isinstance(error, EOFError) else "cannot be read"
        raise UnreadableFileError(f"the file {reason}") from None
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") and (files.encoding != "utf-16" or is_jsonl):
        raise UnreadableFileError("the file is UTF-16: set encoding, or convert it to UTF-8")
    if is_jsonl or not start.strip():
        return []
    try:
        text = start.decode(files.encoding, "ignore").removeprefix(UTF8_MARK)
        header = next(csv.reader(text.splitlines(), delimiter=files.delimiter), [])
    except csv.Error:
        raise UnreadableFileError("the header cannot be read") from None
    names = [name.strip() for name in header]
    for ours, mapping in files.columns.items():
        if mapping.column is not None and mapping.column not in names:
            raise MindweaveError(
                f"source csv: {Path(file.path).name} has no column {mapping.column!r}, which "
                f"columns.{ours} names; check the mapping and the delimiter"
            )
    return names


def is_json_lines(path: str) -> bool:
    """Tell JSON lines from CSV by the file's name."""
    return path.removesuffix(".gz").endswith((".jsonl", ".ndjson"))
