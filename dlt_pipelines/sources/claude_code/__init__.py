"""Claude Code transcripts: every model answer on a machine, from the files the client writes.

<root>/projects/**/*.jsonl  ->  claude_code_messages      one row a line of an answer
                                claude_code_passes        one row a pass beside an answer
                                claude_code_tool_uses     one row a call of an MCP tool
                                claude_code_tool_results  one row a result of a tool
                                claude_code_record_types  how many records of which type
                                claude_code_files         how far each file was read

Only new bytes are read; the warehouse deduplicates, so reading a line again is harmless. No prompt,
answer, tool input, result or path leaves this package: see README.md for what does.
"""

import getpass
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from dlt_pipelines.config import expand_path
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.jsonl_files import Bookmark, JsonlFile, LineBatch, read_lines, unread_part
from dlt_pipelines.plugin import LoadContext, SourcePlugin
from dlt_pipelines.sources.claude_code import tables, transform

if TYPE_CHECKING:
    from dlt.extract import DltResource

LINES_PER_FILE = 150_000


class TranscriptRoot(BaseModel):
    """A folder of one person's transcripts, or a single transcript."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Field(description="A Claude Code folder, any folder above transcripts, or a file.")
    user: str | None = Field(
        None, description="Whose transcripts these are; at once a pseudonym. Default: the login."
    )
    team: str | None = Field(None, description="The team that the cost belongs to.")


class ClaudeCodeConfig(BaseModel):
    """Configuration of the source claude_code."""

    model_config = ConfigDict(extra="forbid")

    roots: list[TranscriptRoot] = Field(
        default_factory=list,
        description="Where to look. Default: CLAUDE_CONFIG_DIR, else ~/.claude and "
        "~/.config/claude.",
    )
    keep_project_name: bool = Field(
        True,
        description="Keep the last part of the working folder as the project's name; "
        "the rest of the path is only ever kept as a keyed fingerprint.",
    )


class ClaudeCodePlugin(SourcePlugin[ClaudeCodeConfig]):
    """Read the transcripts that Claude Code leaves on disk."""

    name = "claude_code"
    version = "1.0.0"
    configuration = ClaudeCodeConfig
    tables = tables.ALL

    def fetch(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterable["DltResource"]:
        """Return the new lines; ``since`` and ``until`` go by a file's time of change.

        Raises MindweaveError where no root holds a transcript.
        """
        found, owners = self._find_files(since, until)
        bookmarks = _read_bookmarks(self.context)
        key = self.context.key.secret
        unread = [unread_part(file, bookmarks.get(file.file_id), key) for file in found]
        files = [file for file in unread if file]
        if not files:
            return []
        return self._land(files, [owners[file.file_id] for file in files])

    def _land(self, files: list[JsonlFile], roots: list[TranscriptRoot]) -> list["DltResource"]:
        context, counts = self.context, self.context.counts
        total = sum(file.unread_bytes for file in files)
        context.progress(0, total)
        lines = transform.TranscriptLines(
            context, self._describe(files, roots), self.config.keep_project_name
        )
        batches = read_lines(files, context.key.secret)
        for first in batches:
            counts.add(lines.add(_part(first, batches)))
            context.progress(counts.bytes_read, total)
        counts.add(lines.finish(files))
        # no file was touched where there are only last lines that are still being written
        return lines.resources() if counts.files_read else []

    def _describe(self, files: list[JsonlFile], roots: list[TranscriptRoot]) -> pa.Table:
        """Return what is known of each file: its pseudonymous place, its person and team."""
        key, login = self.context.key, getpass.getuser()
        people = {root.user: key.person(root.user or login) for root in roots}
        split = [os.path.split(file.path) for file in files]
        places = {folder: key.fingerprint("path", folder)[:12] for folder in {f for f, _ in split}}
        return pa.table(
            {
                "file_index": pa.array(range(len(files)), pa.int32()),
                "file_id": [file.file_id for file in files],
                "location": [f"{places[folder]}/{name}" for folder, name in split],
                "user_id": [people[root.user] for root in roots],
                "team_id": pa.array([root.team for root in roots], pa.string()),
            }
        )

    def _find_files(
        self, since: datetime | None, until: datetime | None
    ) -> tuple[list[JsonlFile], dict[str, TranscriptRoot]]:
        roots = self.config.roots or [TranscriptRoot(path=path) for path in default_roots()]
        key = self.context.key
        files: dict[str, JsonlFile] = {}
        owners: dict[str, TranscriptRoot] = {}
        for root in roots:
            for entry in _transcripts(expand_path(root.path, self.context.home)):
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
            raise MindweaveError(
                f"no transcripts found in {looked_at}: name a folder or file with --path, "
                "or set CLAUDE_CONFIG_DIR"
            )
        return list(files.values()), owners


def _part(first: LineBatch, more: Iterator[LineBatch]) -> Iterator[LineBatch]:
    """Yield batches until there are enough lines for a file."""
    yield first
    lines = first.lines.num_rows
    while lines < LINES_PER_FILE and (batch := next(more, None)):
        yield batch
        lines += batch.lines.num_rows


def default_roots() -> list[Path]:
    """Return the folders that Claude Code itself would write to."""
    configured = os.environ.get("CLAUDE_CONFIG_DIR")
    if configured:
        return [Path(part.strip()).expanduser() for part in configured.split(",") if part.strip()]
    return [Path.home() / ".claude", Path.home() / ".config" / "claude"]


def _transcripts(root: Path) -> Iterator["os.DirEntry[str] | Path"]:
    """Yield the transcripts under ``root``; a Claude Code folder keeps them in ``projects``."""
    if os.path.isfile(root):
        yield root
        return
    projects = root / "projects"
    folders: list[str | Path] = [projects if os.path.isdir(projects) else root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.name.endswith(".jsonl") and os.path.isfile(entry):
                        yield entry
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:
            yield Path(folder)  # reading it will say so, in the quarantine


def _read_bookmarks(context: LoadContext) -> dict[str, Bookmark]:
    """Return the newest bookmark of each file that a completed load wrote."""
    rows = context.read_raw(
        """
        select file_id, size_bytes, modified_ns, consumed_bytes, consumed_lines, prefix_hash
        from (
            select
                files.*,
                row_number() over (
                    partition by files.file_id order by loads.finished_at desc, files.load_id desc
                ) as recency
            from {raw}.claude_code_files as files
            inner join {raw}.loads as loads on files.load_id = loads.load_id
            inner join {raw}._dlt_loads as packages
                on loads._dlt_load_id = packages.load_id and packages.status = 0
        ) as bookmarks
        where recency = 1
        """
    )
    if rows is None:
        return {}
    columns = [column.to_pylist() for column in rows.columns]
    return {file_id: Bookmark(*fields) for file_id, *fields in zip(*columns, strict=True)}
