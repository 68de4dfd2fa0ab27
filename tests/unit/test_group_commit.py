"""The writer of a store: what waits together is kept together, and all of it before it ends."""

import asyncio
import time
from contextlib import closing
from datetime import UTC, datetime
from itertools import repeat

import pytest

from api.group_commit import ENTRY_BYTES, GroupCommit, NotKeptError
from api.metrics import Metrics
from dlt_pipelines.event_store import DeadLetter
from dlt_pipelines.event_store.sqlite_store import SqliteStore


class SlowStore(SqliteStore):
    """A store on a disk that takes its time, and that counts how often it was asked."""

    appends = 0

    def append(self, entries, letters=()):
        self.appends += 1
        time.sleep(0.1)
        super().append(entries, letters)


def kept(path):
    with closing(SqliteStore(path)) as store:
        return [found.entry for found in store.read(None, 2**40)]


def test_what_waits_is_written_before_the_store_is_given_back(tmp_path):
    path = tmp_path / "acme.sqlite"

    async def main():
        commit = GroupCommit(lambda: SlowStore(path), Metrics(), "acme")
        waiting = []
        for _ in range(3):
            waiting += [asyncio.create_task(commit.keep("events", [b"{}"])) for _ in range(100)]
            await asyncio.sleep(0.03)  # the first is being written, the others wait
        await asyncio.to_thread(commit.close)
        await asyncio.gather(*waiting)
        with pytest.raises(NotKeptError):
            await commit.keep("events", [b"{}"])

    asyncio.run(main())
    assert sum(len(entry.body.splitlines()) for entry in kept(path)) == 300


def test_requests_that_wait_become_durable_together(tmp_path):
    path = tmp_path / "acme.sqlite"
    store = SlowStore(path)

    async def main():
        commit = GroupCommit(lambda: store, Metrics(), "acme")
        await asyncio.gather(*(commit.keep("events", [b"{}"]) for _ in range(1000)))
        await asyncio.to_thread(commit.close)

    asyncio.run(main())
    assert store.appends < 50
    assert len(kept(path)) == store.appends


def test_an_entry_holds_no_more_than_a_drain_reads_at_a_time(tmp_path):
    path = tmp_path / "acme.sqlite"
    line = b"x" * (ENTRY_BYTES // 3)

    async def main():
        commit = GroupCommit(lambda: SqliteStore(path), Metrics(), "acme")
        await commit.keep("events", list(repeat(line, 7)))
        await asyncio.to_thread(commit.close)

    asyncio.run(main())
    assert [len(entry.body.splitlines()) for entry in kept(path)] == [3, 3, 1]


def test_the_same_letter_of_many_requests_is_one(tmp_path):
    path = tmp_path / "acme.sqlite"
    letter = DeadLetter("1", "why", {"id": "a"}, datetime.now(UTC).replace(tzinfo=None))

    async def main():
        commit = GroupCommit(lambda: SqliteStore(path), Metrics(), "acme")
        await asyncio.gather(*(commit.keep("events", (), [letter]) for _ in range(10)))
        await asyncio.to_thread(commit.close)

    asyncio.run(main())
    with closing(SqliteStore(path)) as store:
        assert list(store.dead_letters()) == [letter]
    assert not kept(path)
