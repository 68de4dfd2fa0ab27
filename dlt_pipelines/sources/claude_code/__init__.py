"""Claude Code transcripts: every model answer on a machine, from the files the client writes.

<root>/projects/**/*.jsonl  ->  claude_code_messages      one row a line of an answer
                                claude_code_passes        one row a pass beside an answer
                                claude_code_tool_uses     one row a call of an MCP tool
                                claude_code_tool_results  one row a result of a tool
                                claude_code_prompts       one row a prompt that a person typed
                                claude_code_record_types  how many records of which type
                                claude_code_files         how far each file was read

Only new bytes are read; the warehouse deduplicates, so reading a line again is harmless. No prompt,
answer, tool input, result or path leaves this package: see README.md for what does.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from dlt_pipelines.line_source import LinePlugin, LineReader, LineRoot, files_below, login_name
from dlt_pipelines.sources.claude_code import tables, transform


class TranscriptRoot(LineRoot):
    """A folder of one person's transcripts, or a single transcript."""

    path: Path = Field(description="A Claude Code folder, any folder above transcripts, or a file.")
    user: str | None = Field(
        None, description="Whose transcripts these are; at once a pseudonym. Default: the login."
    )


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


class ClaudeCodePlugin(LinePlugin[ClaudeCodeConfig]):
    """Read the transcripts that Claude Code leaves on disk."""

    name = "claude_code"
    version = "1.0.0"
    configuration = ClaudeCodeConfig
    tables = tables.ALL

    def roots(self) -> Sequence[LineRoot]:
        """Return the configured roots, else where Claude Code itself would write to."""
        return self.config.roots or [TranscriptRoot(path=path) for path in default_roots()]

    def files_under(self, root: Path) -> Iterator["os.DirEntry[str] | Path"]:
        """Yield the transcripts; a Claude Code folder keeps them in ``projects``."""
        if os.path.isfile(root):
            yield root
            return
        projects = root / "projects"
        yield from files_below(projects if os.path.isdir(projects) else root, (".jsonl",))

    def nothing_found(self, looked_at: str) -> str:
        """Return what to say where no root holds a transcript."""
        return (
            f"no transcripts found in {looked_at}: name a folder or file with --path, "
            "or set CLAUDE_CONFIG_DIR"
        )

    def reader(self, files: pa.Table) -> LineReader:
        """Return what turns transcript lines into rows."""
        return transform.TranscriptLines(self.context, files, self.config.keep_project_name)

    def person_of(self, root: LineRoot) -> str | None:
        """Return the pseudonym of the root's user, else of the login."""
        return self.context.key.person(root.user or login_name())


def default_roots() -> list[Path]:
    """Return the folders that Claude Code itself would write to."""
    configured = os.environ.get("CLAUDE_CONFIG_DIR")
    if configured:
        return [Path(part.strip()).expanduser() for part in configured.split(",") if part.strip()]
    return [Path.home() / ".claude", Path.home() / ".config" / "claude"]
