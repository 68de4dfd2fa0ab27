"""SQLite files that outlive a crash, belong to their owner alone and say plainly what is wrong."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock

from dlt_pipelines.errors import EventStoreError

BUSY_SECONDS = 30
PAGE_BYTES = 16_384
# what the write-ahead log may keep of the disk when nobody needs it
IDLE_LOG_BYTES = 16_777_216


def open_sqlite(path: Path, schema: str) -> sqlite3.Connection:
    """Open a file, made by the SQL of ``schema`` where there is none.

    Whoever writes begins and commits; a commit returns once it would outlive a power cut.
    """
    with explained(path):
        if not path.exists():
            _make(path, schema)
        connection = _connect(path)
        try:
            connection.execute("pragma synchronous = full")
            # what is deleted is cut off the file soon; some builds write zeros over it first
            connection.execute("pragma secure_delete = fast")
            connection.execute(f"pragma journal_size_limit = {IDLE_LOG_BYTES}")
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all of the block or nothing of it."""
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise EventStoreError, which says what to do, where SQLite or the disk refuses."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            trouble = f"cannot be written ({error}): make room on its disk, or repair it"
        elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            trouble = f"was busy for {BUSY_SECONDS} seconds: try again"
        elif name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
            trouble = f"cannot be written ({error}): check who owns it and its folder"
        else:
            trouble = f"is damaged ({error}): restore it, or move it away and a new one is made"
        raise EventStoreError(f"{path} {trouble}") from None
    except OSError as error:
        raise EventStoreError(
            f"{path} cannot be written ({error.strerror}): make room and check who owns its folder"
        ) from None


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        # whoever shares a connection among threads lets them take turns
        check_same_thread=False,
    )


def _make(path: Path, schema: str) -> None:
    folders = [path.parent] if path.parent.exists() else [path.parent, path.parent.parent]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(path.with_suffix(".lock"), mode=0o600):
        if path.exists():
            return
        # SQLite would play the log of a lost file into the new one
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        with closing(_connect(draft)) as connection:
            connection.execute(f"pragma page_size = {PAGE_BYTES}")
            connection.execute("pragma auto_vacuum = incremental")
            connection.execute("pragma journal_mode = wal")
            connection.executescript(schema)
        draft.rename(path)
        for folder in folders:
            _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
