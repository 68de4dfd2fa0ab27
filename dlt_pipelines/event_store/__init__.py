"""The log that events wait in between their acknowledgement and the warehouse.

One store belongs to one customer. What it holds leaves it once `mindweave drain` has landed it;
dead letters stay until somebody sends them again or discards them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

EntryKind = Literal["events", "logs", "traces", "metrics"]


@dataclass(frozen=True)
class Entry:
    """What one request brought: admitted events, or one OTLP export request."""

    kind: EntryKind
    body: bytes
    """Of events, one admitted CloudEvent a line, as JSON; else one line of OTLP/JSON."""
    received_at: datetime
    """In UTC and without zone."""


@dataclass(frozen=True)
class StoredEntry:
    """An entry and where it is in the log; a position means something to its store alone."""

    position: str
    entry: Entry


@dataclass(frozen=True)
class DeadLetter:
    """An event that was refused, as its sender wrote it."""

    letter_id: str
    """Of the event and its reason, so that an event sent again is no second letter."""
    reason: str
    event: dict[str, Any]
    received_at: datetime


class EventStore(Protocol):
    """A durable log of one customer. Every method raises `EventStoreError` where it cannot work."""

    @property
    def log_id(self) -> str:
        """Name the log; another one, made after this was lost, has another name."""

    def append(self, entries: Sequence[Entry], letters: Sequence[DeadLetter] = ()) -> None:
        """Keep all or nothing, and return once it would outlive a crash."""

    def read(self, after: str | None, max_bytes: int) -> list[StoredEntry]:
        """Return the entries next to a position, in order; at least one where there is one."""

    def discard(self, through: str) -> None:
        """Forget the entries up to and with a position."""

    def dead_letters(self) -> Iterable[DeadLetter]:
        """Return the dead letters, the oldest first."""

    def discard_letters(self, letter_ids: Sequence[str]) -> None:
        """Forget dead letters."""

    def close(self) -> None:
        """Give back what it holds open."""
