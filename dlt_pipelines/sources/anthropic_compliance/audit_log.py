"""The audit log as claude.ai exports it: nine columns, three of them dictionaries as text."""

import ast
import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlt_pipelines.config import expand_path
from dlt_pipelines.errors import MindweaveError

COLUMNS = (
    "created_at",
    "actor_info",
    "event",
    "event_info",
    "entity_info",
    "ip_address",
    "device_id",
    "user_agent",
    "client_platform",
)
MOST_CHARACTERS = 10_000_000


def files(paths: list[Path], home: Path) -> Iterator[Path]:
    """Yield the exports at ``paths``, files or folders; raise MindweaveError where one is not."""
    for path in paths:
        place = expand_path(path, home)
        if place.is_dir():
            yield from sorted(place.glob("*.csv"))
        elif place.is_file():
            yield place
        else:
            raise MindweaveError(
                f"source anthropic_compliance: no audit log export at {place}: check `paths`"
            )


def rows(path: Path) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """Yield line numbers and rows by column; a text instead says what is wrong with a row.

    Raises MindweaveError where a column is missing: it is another file.
    """
    csv.field_size_limit(MOST_CHARACTERS)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.reader(line.replace("\0", "") for line in stream)
        header = [name.strip() for name in next(reader, [])]
        if missing := [name for name in COLUMNS if name not in header]:
            raise MindweaveError(
                f"source anthropic_compliance: {path.name} is no audit log export: "
                f"it has no column {', '.join(missing)}"
            )
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield reader.line_num, "the row is no CSV"
                continue
            if len(fields) == len(header):
                yield reader.line_num, dict(zip(header, fields, strict=True))
            elif fields:
                yield reader.line_num, f"{len(fields)} columns instead of {len(header)}"


def dictionary(text: str) -> dict[str, Any] | None:
    """Return a dictionary from its text, as JSON or as Python has it; None where it is neither."""
    if not text.strip():
        return {}
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(value, dict):
            return {str(name): each for name, each in value.items()}
    return None
