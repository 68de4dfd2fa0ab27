"""An event store in a file: no server, one disk.

The file is SQLite's, with a write-ahead log that is flushed before an append returns. The server
writes while a drain reads; each has a connection of its own.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from time import sleep

from dlt_pipelines import exact_json
from dlt_pipelines.errors import EventStoreError
from dlt_pipelines.event_store import DeadLetter, Entry, StoredEntry
from dlt_pipelines.sqlite_file import explained, open_sqlite, transaction

# a position is never used twice (autoincrement), not even that of a discarded entry
SCHEMA = """
create table log (log_id text not null);
insert into log values (lower(hex(randomblob(16))));

create table entries (
    position integer primary key autoincrement,
    kind text not null,
    received_at text not null,
    body blob not null
);

create table dead_letters (
    position integer primary key autoincrement,
    letter_id text not null unique,
    reason text not null,
    event blob not null,
    received_at text not null
);
"""
LETTERS_AT_A_TIME = 100
# of what is discarded at a time, so that an append waits for no more than that
DISCARD_BYTES = 4_000_000
DISCARD_PAGES = 250
BREATH_SECONDS = 0.01


class SqliteStore:
    """The events of one customer in one file; its threads take turns."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it."""
        self._path = path
        self._turn = threading.Lock()
        self._connection = open_sqlite(path, SCHEMA)
        try:
            with explained(path):
                self._file_number = path.stat().st_ino
                self._log_id: str = self._connection.execute("select log_id from log").fetchone()[0]
        except BaseException:
            self._connection.close()
            raise

    @property
    def log_id(self) -> str:
        """Name the log; another one, made after this was lost, has another name."""
        return self._log_id

    def append(self, entries: Sequence[Entry], letters: Sequence[DeadLetter] = ()) -> None:
        """Keep all or nothing, and return once it would outlive a crash."""
        with self._writing():
            self._connection.executemany(
                "insert into entries (kind, received_at, body) values (?, ?, ?)",
                ((entry.kind, entry.received_at.isoformat(), entry.body) for entry in entries),
            )
            self._connection.executemany(
                "insert into dead_letters (letter_id, reason, event, received_at) "
                "values (?, ?, ?, ?) on conflict (letter_id) do nothing",
                (
                    (
                        letter.letter_id,
                        letter.reason,
                        exact_json.dump(letter.event),
                        letter.received_at.isoformat(),
                    )
                    for letter in letters
                ),
            )

    def read(self, after: str | None, max_bytes: int) -> list[StoredEntry]:
        """Return the entries next to a position, in order; at least one where there is one."""
        found: list[StoredEntry] = []
        size = 0
        # closed at once, as the write-ahead log grows for as long as somebody reads
        with (
            self._turn,
            explained(self._path),
            closing(
                self._connection.execute(
                    "select position, kind, received_at, body from entries "
                    "where position > ? order by position",
                    [int(after or 0)],
                )
            ) as rows,
        ):
            for position, kind, received_at, body in rows:
                size += len(body)
                if found and size > max_bytes:
                    break
                entry = Entry(kind, body, datetime.fromisoformat(received_at))
                found.append(StoredEntry(str(position), entry))
        return found

    def discard(self, through: str) -> None:
        """Forget the entries up to and with a position."""
        while last := self._last_of_next(int(through)):
            with self._writing():
                self._connection.execute("delete from entries where position <= ?", [last])
            sleep(BREATH_SECONDS)
        self._give_back_space()

    def dead_letters(self) -> Iterable[DeadLetter]:
        """Return the dead letters, the oldest first."""
        last = 0
        while letters := self._letters_after(last):
            for last, letter_id, reason, event, received_at in letters:  # noqa: B007
                yield DeadLetter(
                    letter_id, reason, exact_json.parse(event), datetime.fromisoformat(received_at)
                )

    def discard_letters(self, letter_ids: Sequence[str]) -> None:
        """Forget dead letters."""
        with self._writing():
            self._connection.executemany(
                "delete from dead_letters where letter_id = ?", ([name] for name in letter_ids)
            )
        self._give_back_space()

    def close(self) -> None:
        """Give back what it holds open."""
        with self._turn, explained(self._path):
            self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._turn, explained(self._path):
            if self._path.stat().st_ino != self._file_number:
                raise EventStoreError(f"{self._path} was replaced while in use: start again")
            with transaction(self._connection):
                yield

    def _last_of_next(self, through: int) -> int | None:
        """Return the last position of the next part to discard, None where nothing is left."""
        last, size = None, 0
        with (
            self._turn,
            explained(self._path),
            closing(
                self._connection.execute(
                    "select position, length(body) from entries "
                    "where position <= ? order by position",
                    [through],
                )
            ) as rows,
        ):
            for last, length in rows:  # noqa: B007
                size += length
                if size > DISCARD_BYTES:
                    break
        return last

    def _letters_after(self, position: int) -> list[tuple[int, str, str, bytes, str]]:
        with self._turn, explained(self._path):
            return self._connection.execute(
                "select position, letter_id, reason, event, received_at from dead_letters "
                "where position > ? order by position limit ?",
                [position, LETTERS_AT_A_TIME],
            ).fetchall()

    def _give_back_space(self) -> None:
        """Cut the free pages off the file, some at a time."""
        while self._free_pages():
            with self._turn, explained(self._path):
                # as a script, since `execute` takes one step, which is one page
                self._connection.executescript(f"pragma incremental_vacuum({DISCARD_PAGES})")
            sleep(BREATH_SECONDS)
        with self._turn, explained(self._path):
            self._connection.execute("pragma wal_checkpoint(passive)").fetchall()

    def _free_pages(self) -> int:
        with self._turn, explained(self._path):
            [pages] = self._connection.execute("pragma freelist_count").fetchone()
        return int(pages)
