"""One writer a customer's store: all requests that wait become durable together.

To make one event durable takes as long as to make a thousand so; a request is answered once the
append that held it has returned.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

from api.metrics import Metrics
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.event_store import DeadLetter, Entry, EntryKind, EventStore

LOG = logging.getLogger("mindweave.intake")
ENTRY_BYTES = 4 * 2**20
GROUP_BYTES = 64 * 2**20


class NotKeptError(Exception):
    """The store could not keep it; nothing of it is kept."""


@dataclass(frozen=True)
class Waiting:
    """What one request brought, and who waits for it."""

    kind: EntryKind
    lines: Sequence[bytes]
    letters: Sequence[DeadLetter]
    done: "asyncio.Future[None]"
    size: int


class GroupCommit:
    """The writer of one store, which lives in a thread of its own."""

    def __init__(self, open_store: Callable[[], EventStore], metrics: Metrics, name: str) -> None:
        """Start the thread; it opens the store when something is to be kept."""
        self._open_store = open_store
        self._metrics = metrics
        self._name = name
        self._store: EventStore | None = None
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Waiting] = []
        self._is_closing = False
        self._changed = threading.Condition()
        self.is_failing = False
        # a server that is told twice to stop does not wait for it
        self._thread = threading.Thread(target=self._write, name=f"events of {name}", daemon=True)
        self._thread.start()

    async def keep(
        self, kind: EntryKind, lines: Sequence[bytes], letters: Sequence[DeadLetter] = ()
    ) -> None:
        """Return once all of it would outlive a crash; raise NotKeptError where none of it does."""
        done = self._loop.create_future()
        waiting = Waiting(kind, lines, letters, done, sum(map(len, lines)))
        with self._changed:
            if self._is_closing:
                raise NotKeptError
            self._waiting.append(waiting)
            self._changed.notify()
        await done

    def close(self) -> None:
        """Write what waits, then give the store back."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    def _write(self) -> None:
        while group := self._next_group():
            started = perf_counter()
            is_kept = self._append(group)
            self.is_failing = not is_kept
            self._metrics.commit(self._name, perf_counter() - started, is_kept)
            self._loop.call_soon_threadsafe(_tell, group, is_kept)
        self._close_store()

    def _next_group(self) -> list[Waiting]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closing)
            size, count = 0, 0
            while count < len(self._waiting) and (not count or size < GROUP_BYTES):
                size += self._waiting[count].size
                count += 1
            group, self._waiting = self._waiting[:count], self._waiting[count:]
            return group

    def _append(self, group: Sequence[Waiting]) -> bool:
        letters = {letter.letter_id: letter for waiting in group for letter in waiting.letters}
        try:
            if self._store is None:
                self._store = self._open_store()
            self._store.append(entries_of(group), list(letters.values()))
        except Exception as error:
            # whatever it was, nothing was acknowledged; only our own words may be written down
            reason = str(error) if isinstance(error, MindweaveError) else type(error).__name__
            LOG.error("events of %s are not kept: %s", self._name, reason)
            self._close_store()
            return False
        return True

    def _close_store(self) -> None:
        store, self._store = self._store, None
        try:
            if store is not None:
                store.close()
        except Exception as error:
            LOG.error("the store of %s does not close: %s", self._name, type(error).__name__)


def entries_of(group: Sequence[Waiting]) -> list[Entry]:
    """Return the entries of a group: its events share as few as their size allows."""
    received_at = datetime.now(UTC).replace(tzinfo=None)
    entries: list[Entry] = []
    lines: list[bytes] = []
    size = 0

    def flush() -> None:
        if lines:
            entries.append(Entry("events", b"\n".join(lines), received_at))
            lines.clear()

    for waiting in group:
        if waiting.kind != "events":
            entries.extend(Entry(waiting.kind, line, received_at) for line in waiting.lines)
            continue
        for line in waiting.lines:
            if size + len(line) > ENTRY_BYTES:
                flush()
                size = 0
            lines.append(line)
            size += len(line)
    flush()
    return entries


def _tell(group: Sequence[Waiting], is_kept: bool) -> None:
    for waiting in group:
        if waiting.done.done():  # its request was given up
            continue
        if is_kept:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(NotKeptError())
