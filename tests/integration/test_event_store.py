"""What an event store promises, whichever it is; then what only one of them can break."""

import contextlib
import os
import resource
import signal
import stat
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from decimal import Decimal
from typing import get_args

import pytest

from dlt_pipelines.config import Settings, read_settings
from dlt_pipelines.errors import EventStoreError, UsageError
from dlt_pipelines.event_store import DeadLetter, Entry, EntryKind
from dlt_pipelines.event_store.opening import has_store, open_store
from dlt_pipelines.event_store.sqlite_store import SqliteStore
from tests import event_writer, servers
from tests.event_writer import AT, GROUP, group
from tests.small_disk import MEGABYTE, small_disk
from tests.transcripts import REPOSITORY, assert_one_line


@pytest.fixture(params=["sqlite", "redis"])
def settings(request, tmp_path):
    """Return settings of a home without a store, once for each kind of store."""
    return settings_of(request, tmp_path, request.param)


@pytest.fixture
def in_file(request, tmp_path):
    return settings_of(request, tmp_path, "sqlite")


@pytest.fixture
def in_redis(request, tmp_path):
    return settings_of(request, tmp_path, "redis")


def settings_of(request, tmp_path, kind):
    url = request.getfixturevalue("redis_server").url if kind == "redis" else ""
    return Settings(tmp_path / "mindweave", "", "acme", event_store_url=url)


@pytest.fixture
def store(settings):
    with contextlib.closing(open_store(settings)) as opened:
        yield opened


def entries(*bodies):
    return [Entry("events", body, AT) for body in bodies]


def letter(name="letter-1", **event):
    return DeadLetter(name, "data.cost must be a number", event, AT)


def bodies(store, after=None, max_bytes=MEGABYTE):
    return [stored.entry.body for stored in store.read(after, max_bytes)]


def everything(store):
    return [stored.entry.body for stored in read_all(store)]


def read_all(store):
    """Yield all that is in a store, read part by part."""
    last = None
    while part := store.read(last, MEGABYTE):
        last = part[-1].position
        yield from part


def says(error):
    """Return the message of an error, which is one line without a secret."""
    assert_one_line(f"mindweave: {error.value}\n")
    return str(error.value)


class TestALog:
    def test_gives_back_in_order_what_it_was_given(self, store):
        given = [
            Entry(kind, bytes([n]) * n, AT.replace(microsecond=n))
            for n, kind in enumerate(get_args(EntryKind), start=1)
        ]

        store.append(given[:2])
        store.append(given[2:])

        assert [stored.entry for stored in store.read(None, MEGABYTE)] == given

    def test_is_read_on_from_any_position(self, store):
        store.append(entries(b"1", b"2", b"3"))
        [first, second, _] = store.read(None, MEGABYTE)

        assert bodies(store, first.position) == [b"2", b"3"]
        assert bodies(store, second.position) == [b"3"]

    def test_is_read_by_bytes_and_at_least_one_entry_at_a_time(self, store):
        store.append(entries(b"a" * 10, b"b" * 10, b"c" * 500, b"d"))
        first = store.read(None, 25)
        second = store.read(first[-1].position, 25)

        assert [stored.entry.body[:1] for stored in first + second] == [b"a", b"b", b"c"]
        assert bodies(store, second[-1].position, 25) == [b"d"]

    def test_of_nothing_gives_nothing(self, store):
        store.append([])

        assert store.read(None, MEGABYTE) == []
        assert list(store.dead_letters()) == []

    def test_forgets_what_is_discarded_and_nothing_else(self, store):
        store.append(entries(*(b"%d" % n for n in range(1000))))
        position = store.read(None, MEGABYTE)[899].position

        store.discard(position)
        store.discard(position)

        assert everything(store) == [b"%d" % n for n in range(900, 1000)]

    def test_never_uses_a_position_twice(self, store):
        store.append(entries(b"1", b"2"))
        last = store.read(None, MEGABYTE)[-1].position
        store.discard(last)

        store.append(entries(b"3"))

        assert bodies(store, last) == [b"3"]

    def test_keeps_its_name_when_opened_again(self, settings, store):
        with contextlib.closing(open_store(settings)) as again:
            assert again.log_id == store.log_id

    def test_is_not_another_customers(self, settings, store):
        store.append(entries(b"1"), [letter()])

        with contextlib.closing(open_store(replace(settings, customer="other"))) as other:
            assert other.log_id != store.log_id
            assert everything(other) == []
            assert list(other.dead_letters()) == []

    def test_is_there_only_once_it_was_opened(self, settings):
        assert not has_store(settings)
        open_store(settings).close()
        assert has_store(settings)

    def test_of_many_events_is_read_in_little_memory(self, store):
        for _ in range(15):
            store.append(entries(*[b"x" * 20_000] * 100))
        tracemalloc.start()
        try:
            assert sum(1 for _ in read_all(store)) == 1500
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 6 * MEGABYTE  # of 30


class TestDeadLetters:
    def test_are_kept_as_their_sender_wrote_them(self, store):
        event = {
            "id": "1",
            "data": {"cost": Decimal("0.10"), "tokens": 10**30, "names": [None, True, "ö"]},
        }

        store.append([], [letter(**event)])

        assert list(store.dead_letters()) == [letter(**event)]

    def test_are_not_doubled_by_an_event_sent_again(self, store):
        second = replace(letter("b"), received_at=AT.replace(second=30))
        store.append([], [letter("a"), letter("a")])
        store.append(entries(b"1"), [second])
        store.append(entries(b"2"), [replace(letter("a"), received_at=AT.replace(second=59))])

        assert list(store.dead_letters()) == [letter("a"), second]

    def test_come_oldest_first_and_stay_until_discarded(self, store):
        names = [f"letter-{n}" for n in range(250)]
        store.append(
            [],
            [
                replace(letter(name), received_at=AT.replace(microsecond=n))
                for n, name in enumerate(names)
            ],
        )

        assert [each.letter_id for each in store.dead_letters()] == names
        store.discard_letters([*names[1:], "unknown"])
        store.discard_letters([])
        assert [each.letter_id for each in store.dead_letters()] == names[:1]


def start_writer(settings, name="writer", first=0, count=100_000):
    arguments = (settings.home, settings.customer, settings.event_store_url, name, first, count)
    return subprocess.Popen(
        [sys.executable, event_writer.__file__, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def acknowledged(writer, at_least):
    """Return the numbers that a writer printed, once there are enough."""
    return [int(writer.stdout.readline()) for _ in range(at_least)]


def rest_of(writer):
    """Return what a writer that ended printed after that; the last line may be cut."""
    with writer:
        text, errors = writer.stdout.read(), writer.stderr.read()
    return [int(line) for line in text.splitlines(keepends=True) if line.endswith("\n")], errors


def numbers_in(store, name="writer"):
    """Return the numbers of a writer's appends, each of which must be whole."""
    found = [body.decode().split() for body in everything(store)]
    numbers = [int(number) for writer, number, _ in found if writer == name]
    assert numbers == sorted(numbers)
    assert len(numbers) == GROUP * len(set(numbers))
    letters = [one.event["number"] for one in store.dead_letters() if one.letter_id[:-1] != name]
    assert set(numbers) <= set(letters)
    return sorted(set(numbers))


class TestAcknowledged:
    def test_appends_outlive_a_kill_of_the_writer_and_are_whole(self, settings):
        first = 0
        for _ in range(3):
            writer = start_writer(settings, first=first)
            numbers = acknowledged(writer, 200)
            writer.send_signal(signal.SIGKILL)
            numbers += rest_of(writer)[0]

            with contextlib.closing(open_store(settings)) as store:
                kept = numbers_in(store)
                assert set(numbers) <= set(kept)
                # what was being written when it died may be there, but then as a whole
                assert kept[-1] - numbers[-1] in (0, 1)
                assert len(kept) == kept[-1] + 1
            first = kept[-1] + 1

    def test_appends_of_two_writers_are_all_there_while_somebody_reads(self, settings):
        open_store(settings).close()
        writers = {name: start_writer(settings, name, count=300) for name in ("one", "two")}
        seen, last = [], None
        with contextlib.closing(open_store(settings)) as store:
            while any(writer.poll() is None for writer in writers.values()):
                for stored in store.read(last, 5000):
                    seen.append(stored.entry.body)
                    last = stored.position
            for name, writer in writers.items():
                assert rest_of(writer) == (list(range(300)), "")
                assert numbers_in(store, name) == list(range(300))
            while part := store.read(last, 5000):
                seen += [stored.entry.body for stored in part]
                last = part[-1].position
            # a reader that goes on from where it was has missed nothing
            assert seen == everything(store)

    def test_appends_outlive_a_kill_of_redis(self, request, tmp_path):
        with servers.redis_server() as server:
            settings = Settings(tmp_path, "", "acme", event_store_url=server.url)
            writer = start_writer(settings)
            numbers = acknowledged(writer, 200)
            server.kill()
            more, errors = rest_of(writer)
            assert writer.returncode == 3
            assert errors == f"Redis at 127.0.0.1:{server.port} {NO_ANSWER}\n"

            server.start()

            with contextlib.closing(open_store(settings)) as store:
                assert set(numbers + more) <= set(numbers_in(store))


NO_ANSWER = "does not answer: start it, or look at its log"


def fill(store):
    """Append until there is no room, and return what was acknowledged."""
    kept = []
    with pytest.raises(EventStoreError) as error:
        for number in range(1000):
            store.append(group("writer", number) + entries(b"x" * 100_000), [letter(str(number))])
            kept.append(number)
    return kept, says(error)


class TestAFullDisk:
    def test_refuses_with_one_line_and_takes_more_once_there_is_room(self, tmp_path):
        with small_disk(tmp_path / "disk") as blocker:
            settings = Settings(tmp_path / "disk", "", "acme")
            with contextlib.closing(open_store(settings)) as store:
                kept, message = fill(store)
                assert "acme.sqlite cannot be written" in message
                assert "make room" in message
                assert everything_but_ballast(store) == groups(kept)

                blocker.unlink()

                store.append(group("writer", len(kept)))
                assert everything_but_ballast(store) == groups([*kept, len(kept)])
                assert len(list(store.dead_letters())) == len(kept)
            with contextlib.closing(open_store(settings)) as again:
                assert everything_but_ballast(again) == groups([*kept, len(kept)])

    def test_that_refuses_writes_leaves_nothing_half_written(self, in_file):
        with contextlib.closing(open_store(in_file)) as store:
            store.append(group("writer", 0))
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE, before[1]))
            try:
                kept, message = fill(store)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert "acme.sqlite cannot be written" in message
            assert everything_but_ballast(store) == groups([0, *kept])

            store.append(group("writer", 99))

            assert everything_but_ballast(store) == groups([0, *kept, 99])

    def test_of_redis_loses_nothing_that_was_acknowledged(self, tmp_path):
        # redis itself ends when it cannot keep its promise; whoever runs it starts it again
        with servers.processes.server_folder() as place, small_disk(place / "disk") as blocker:
            with servers.redis_server(dir=str(place / "disk")) as server:
                settings = Settings(tmp_path, "", "acme", event_store_url=server.url)
                with contextlib.closing(open_store(settings)) as store:
                    kept, message = fill(store)
                    assert message.endswith(NO_ANSWER)
                    assert kept
            blocker.unlink()
            with servers.redis_server(dir=str(place / "disk")) as server:
                settings = replace(settings, event_store_url=server.url)
                with contextlib.closing(open_store(settings)) as store:
                    assert everything_but_ballast(store)[: GROUP * len(kept)] == groups(kept)
                    store.append(group("writer", 999))
                    assert everything_but_ballast(store)[-GROUP:] == groups([999])


def everything_but_ballast(store):
    return [body for body in everything(store) if not body.startswith(b"x")]


def groups(numbers):
    return [entry.body for number in numbers for entry in group("writer", number)]


def position_before_last(store):
    return [stored.position for stored in read_all(store)][-2]


class TestAFile:
    def test_is_its_owners_alone(self, in_file):
        with contextlib.closing(open_store(in_file)) as store:
            store.append(entries(b"1"))
            folder = in_file.home / "events"

            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}

    def test_is_flushed_before_an_append_returns(self, in_file):
        with contextlib.closing(open_store(in_file)) as store:
            assert isinstance(store, SqliteStore)
            connection = store._connection
            assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
            assert connection.execute("pragma synchronous").fetchone() == (2,)

    def test_gives_the_disk_back_when_it_is_discarded(self, in_file):
        path = in_file.home / "events" / "acme.sqlite"
        sizes, seconds = [], []
        with contextlib.closing(open_store(in_file)) as store:
            for _ in range(3):
                for _ in range(20):
                    store.append(entries(*[b"x" * 20_000] * 50))
                assert path.stat().st_size > 5 * MEGABYTE
                store.append(entries(b"kept"))
                through = position_before_last(store)
                start = time.perf_counter()
                store.discard(through)
                seconds.append(time.perf_counter() - start)
                sizes.append(sum(part.stat().st_size for part in path.parent.iterdir()))
                assert path.stat().st_size < MEGABYTE
        assert max(sizes) < 20 * MEGABYTE
        assert min(seconds) < 5  # page by page it would be 12

    def test_that_is_lost_is_another_log(self, in_file):
        with contextlib.closing(open_store(in_file)) as store:
            store.append(entries(b"1"))
            path = in_file.home / "events" / "acme.sqlite"
            # only the file: its write-ahead log must not come back in the new one
            path.unlink()

            with pytest.raises(EventStoreError) as error:
                store.append(entries(b"2"))
            assert "cannot be written (No such file or directory)" in says(error)

            with contextlib.closing(open_store(in_file)) as other:
                assert other.log_id != store.log_id
                assert everything(other) == []
                with pytest.raises(EventStoreError) as error:
                    store.append(entries(b"3"))
                assert "was replaced while in use: start again" in says(error)

    @pytest.mark.parametrize("damage", [b"", b"no database at all" * 1000])
    def test_that_is_damaged_says_so_in_one_line(self, in_file, damage):
        path = in_file.home / "events" / "acme.sqlite"
        path.parent.mkdir(parents=True)
        path.write_bytes(damage)

        with pytest.raises(EventStoreError) as error:
            open_store(in_file)
        assert "acme.sqlite is damaged" in says(error)

    def test_that_was_damaged_in_the_middle_says_so_in_one_line(self, in_file):
        path = in_file.home / "events" / "acme.sqlite"
        with contextlib.closing(open_store(in_file)) as store:
            store.append(entries(*[b"x" * 1000] * 1000))
        with path.open("r+b") as file:
            file.seek(100_000)
            file.write(os.urandom(path.stat().st_size - 100_000))

        with contextlib.closing(open_store(in_file)) as store:
            with pytest.raises(EventStoreError) as error:
                everything(store)
            assert "acme.sqlite is damaged" in says(error)

    def test_in_a_place_that_is_no_folder_says_so_in_one_line(self, in_file):
        in_file.home.write_text("a file")

        with pytest.raises(EventStoreError) as error:
            open_store(in_file)
        assert "acme.sqlite cannot be written" in says(error)


class TestRedis:
    @pytest.mark.parametrize(
        ("name", "value", "advice"),
        [
            ("appendonly", "no", "set `appendonly yes` and `appendfsync always` in it"),
            ("appendfsync", "everysec", "set `appendonly yes` and `appendfsync always` in it"),
            ("maxmemory-policy", "allkeys-lru", "set `maxmemory-policy noeviction` in it"),
        ],
    )
    def test_that_could_lose_an_event_is_refused(self, tmp_path, name, value, advice):
        with servers.redis_server(**{name: value}) as server:
            settings = Settings(tmp_path, "", "acme", event_store_url=server.url)
            for use in (open_store, has_store):
                with pytest.raises(EventStoreError) as error:
                    use(settings)
                assert advice in says(error)
            assert server.ask("DBSIZE") == 0

    def test_that_does_not_say_whether_it_could_is_refused(self, in_redis, redis_server):
        redis_server.ask("ACL", "SETUSER", "pusher", "on", ">s3cret", "~*", "+@all", "-config")
        try:
            url = f"redis://pusher:s3cret@127.0.0.1:{redis_server.port}/0"
            with pytest.raises(EventStoreError) as error:
                open_store(replace(in_redis, event_store_url=url))
            assert says(error).endswith("allow its user `CONFIG GET`")
        finally:
            redis_server.ask("ACL", "DELUSER", "pusher")

    def test_that_refuses_a_write_is_quoted_without_content(self, in_redis, redis_server):
        with contextlib.closing(open_store(in_redis)) as store:
            redis_server.ask("SET", "mindweave:{acme}:entries", "no stream")
            with pytest.raises(EventStoreError) as error:
                store.append(entries(b"secret"))
            assert "cannot keep events (WRONGTYPE): look at" in says(error)

    def test_that_is_full_refuses_in_one_line_without_content(self, in_redis, redis_server):
        with contextlib.closing(open_store(in_redis)) as store:
            store.append(group("writer", 0))
            used = redis_server.ask("INFO", "memory")["used_memory"]
            redis_server.ask("CONFIG", "SET", "maxmemory", used + MEGABYTE)
            try:
                kept, message = fill(store)
            finally:
                redis_server.ask("CONFIG", "SET", "maxmemory", 0)
            assert message.endswith("is full: run `mindweave drain`, or give it more `maxmemory`")
            assert everything_but_ballast(store) == groups([0, *kept])

            store.append(group("writer", 99))

            assert everything_but_ballast(store) == groups([0, *kept, 99])
            assert len(list(store.dead_letters())) == len(kept)

    def test_that_was_emptied_is_another_log(self, in_redis, redis_server):
        with contextlib.closing(open_store(in_redis)) as store:
            store.append(entries(b"1"))
            redis_server.ask("FLUSHALL")
            with contextlib.closing(open_store(in_redis)) as other:
                assert other.log_id != store.log_id

    def test_an_error_never_shows_the_password(self, in_redis, redis_server):
        for port in (redis_server.port, 1):
            url = f"redis://:wr0ng@127.0.0.1:{port}/0"
            with pytest.raises(EventStoreError) as error:
                open_store(replace(in_redis, event_store_url=url))
            assert "wr0ng" not in says(error)


class TestTheUrl:
    @pytest.mark.parametrize(
        "url", ["kafka://me:s3cret@host/0", "s3cret", "redis://:s3cret@host:port/0"]
    )
    def test_of_something_else_is_wrong_use_and_not_repeated(self, monkeypatch, url):
        monkeypatch.setenv("MINDWEAVE_EVENT_STORE", url)
        with pytest.raises(UsageError) as error:
            open_store(read_settings("acme"))
        assert "s3cret" not in says(error)
        assert "MINDWEAVE_EVENT_STORE is no redis://host:port/0" in str(error.value)
