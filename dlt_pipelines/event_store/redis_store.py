"""An event store on Redis Streams: for an intake whose disk is another machine's.

Redis answers an append after its append-only file is flushed (``appendfsync always``), so that is
asked of every connection; with anything less, what was acknowledged could be lost. Keys of a
customer share a hash slot::

    mindweave:{acme}:log       the name of the log
    mindweave:{acme}:entries   a stream; a position is an id of it, which never comes twice
    mindweave:{acme}:letters   dead letters by id, and beside them their order of arrival
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dlt_pipelines import exact_json
from dlt_pipelines.errors import EventStoreError, UsageError
from dlt_pipelines.event_store import DeadLetter, Entry, StoredEntry

ANSWER_SECONDS = 30
CONNECT_SECONDS = 5
LETTERS_AT_A_TIME = 100
TRIMMED_AT_A_TIME = 10_000
# Redis does one thing at a time: a sender waits for no more than this of a drain
READ_BYTES = 1_000_000
# what stays within a number of bytes of bodies, but one entry at least
READ_SCRIPT = """
local found, size, after = {}, 0, ARGV[1]
while true do
    local entry = redis.call('XRANGE', KEYS[1], '(' .. after, '+', 'COUNT', 1)[1]
    if not entry then break end
    size = size + #entry[2][6]
    if #found > 0 and size > tonumber(ARGV[2]) then break end
    found[#found + 1] = entry
    after = entry[1]
end
return found
"""
BEFORE_ALL = "0-0"


class RedisStore:
    """The events of one customer in a Redis that keeps what it acknowledges."""

    def __init__(self, url: str, customer: str) -> None:
        """Connect, and make the log where there is none."""
        self._label, self._redis = _client(url)
        self._log, self._entries, self._letters, self._order = _keys(customer)
        self._read = self._redis.register_script(READ_SCRIPT)
        try:
            with _explained(self._label):
                self._redis.set(self._log, secrets.token_hex(16), nx=True)
                found: Any = self._redis.get(self._log)
                self._log_id: str = found.decode()
        except BaseException:
            self._redis.close()
            raise

    @property
    def log_id(self) -> str:
        """Name the log; another one, made after this was lost, has another name."""
        return self._log_id

    def append(self, entries: Sequence[Entry], letters: Sequence[DeadLetter] = ()) -> None:
        """Keep all or nothing, and return once it would outlive a crash."""
        with _explained(self._label), self._redis.pipeline(transaction=True) as changes:
            # it is gone where somebody emptied Redis while we were connected
            changes.set(self._log, self._log_id, nx=True)
            for entry in entries:
                changes.xadd(
                    self._entries,
                    {
                        "kind": entry.kind,
                        "received_at": entry.received_at.isoformat(),
                        "body": entry.body,
                    },
                )
            for letter in letters:
                at = letter.received_at.isoformat()
                text = exact_json.dump([letter.reason, letter.event, at])
                changes.hsetnx(self._letters, letter.letter_id, text)
                order = letter.received_at.replace(tzinfo=UTC).timestamp()
                changes.zadd(self._order, {letter.letter_id: order}, nx=True)
            changes.execute()

    def read(self, after: str | None, max_bytes: int) -> list[StoredEntry]:
        """Return the entries next to a position, in order; at least one where there is one."""
        found: list[StoredEntry] = []
        size, last = 0, after or BEFORE_ALL
        with _explained(self._label):
            while size < max_bytes:
                part = self._read(
                    keys=[self._entries], args=[last, min(READ_BYTES, max_bytes - size)]
                )
                for position, (_, kind, _, received_at, _, body) in part:
                    size += len(body)
                    if found and size > max_bytes:
                        break
                    last = position.decode()
                    entry = Entry(kind.decode(), body, datetime.fromisoformat(received_at.decode()))
                    found.append(StoredEntry(last, entry))
                if not part:
                    break
        return found

    def discard(self, through: str) -> None:
        """Forget the entries up to and with a position."""
        milliseconds, _, number = through.partition("-")
        keep_from = f"{milliseconds}-{int(number) + 1}"
        with _explained(self._label):
            # whole blocks of the stream first, some at a time, so that no sender waits for long
            while self._redis.xtrim(
                self._entries, minid=keep_from, approximate=True, limit=TRIMMED_AT_A_TIME
            ):
                pass
            self._redis.xtrim(self._entries, minid=keep_from, approximate=False)

    def dead_letters(self) -> Iterable[DeadLetter]:
        """Return the dead letters, the oldest first."""
        with _explained(self._label):
            names: Any = self._redis.zrange(self._order, 0, -1)
        for start in range(0, len(names), LETTERS_AT_A_TIME):
            part = names[start : start + LETTERS_AT_A_TIME]
            with _explained(self._label):
                texts: Any = self._redis.hmget(self._letters, part)
            for name, text in zip(part, texts, strict=True):
                # None: somebody else discarded it in the meantime
                if text is not None:
                    reason, event, at = exact_json.parse(text)
                    yield DeadLetter(name.decode(), reason, event, datetime.fromisoformat(at))

    def discard_letters(self, letter_ids: Sequence[str]) -> None:
        """Forget dead letters."""
        if not letter_ids:
            return
        with _explained(self._label), self._redis.pipeline(transaction=True) as changes:
            changes.hdel(self._letters, *letter_ids)
            changes.zrem(self._order, *letter_ids)
            changes.execute()

    def close(self) -> None:
        """Give back what it holds open."""
        self._redis.close()


def has_redis_store(url: str, customer: str) -> bool:
    """Say whether anything was ever pushed for the customer; makes nothing."""
    label, client = _client(url)
    with _explained(label), client:
        return bool(client.exists(*_keys(customer)))


def _keys(customer: str) -> tuple[str, str, str, str]:
    first = f"mindweave:{{{customer}}}"
    return f"{first}:log", f"{first}:entries", f"{first}:letters", f"{first}:letters_order"


def _client(url: str) -> tuple[str, "redis.Redis"]:
    """Return how errors name a Redis, which is without its password, and a client for it."""
    try:
        parts = urlsplit(url)
        label = f"Redis at {parts.hostname or 'localhost'}:{parts.port or 6379}"
        client = redis.Redis.from_url(
            url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            # the sender tries again: what was kept though the answer got lost would come twice
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=_connect_to_durable,
        )
    except ValueError:
        raise UsageError(
            "MINDWEAVE_EVENT_STORE is no redis://host:port/0: correct it or unset it"
        ) from None
    return label, client


def _connect_to_durable(connection: Any) -> None:
    """Refuse a connection to a Redis that would acknowledge what a crash, or it itself, drops."""
    connection.on_connect()
    settings = {}
    try:
        for name in ("appendonly", "appendfsync", "maxmemory-policy"):
            connection.send_command("CONFIG", "GET", name)
            settings[name] = _config_value(connection.read_response())
    except redis.ResponseError:
        raise _NotDurableError(
            "does not say whether it keeps what it acknowledges: allow its user `CONFIG GET`"
        ) from None
    if (settings["appendonly"], settings["appendfsync"]) != ("yes", "always"):
        raise _NotDurableError(
            "may lose what it acknowledged: set `appendonly yes` and `appendfsync always` in it"
        )
    if settings["maxmemory-policy"].startswith("allkeys"):
        raise _NotDurableError(
            "drops events when its memory is full: set `maxmemory-policy noeviction` in it"
        )


def _config_value(answer: Any) -> str:
    pairs = list(answer.values() if isinstance(answer, dict) else answer[1::2])
    return str(pairs[0], "utf-8") if pairs else ""


class _NotDurableError(redis.RedisError):
    """A Redis that does not keep what it acknowledges."""


@contextmanager
def _explained(label: str) -> Iterator[None]:
    """Raise EventStoreError, which says what to do, where Redis refuses or is not there."""
    try:
        yield
    except _NotDurableError as error:
        raise EventStoreError(f"{label} {error}") from None
    except redis.AuthenticationError:
        raise EventStoreError(
            f"{label} refuses the login: correct the password in MINDWEAVE_EVENT_STORE"
        ) from None
    except (redis.ConnectionError, redis.TimeoutError):
        raise EventStoreError(f"{label} does not answer: start it, or look at its log") from None
    except redis.exceptions.OutOfMemoryError:
        raise EventStoreError(
            f"{label} is full: run `mindweave drain`, or give it more `maxmemory`"
        ) from None
    except redis.RedisError as error:
        raise EventStoreError(
            f"{label} cannot keep events ({_kind(error)}): look at its log and its disk"
        ) from None


def _kind(error: redis.RedisError) -> str:
    """Return the code of an error alone, as the rest may repeat what Redis was told."""
    code = str(error).rpartition("caused error: ")[2].partition(" ")[0]
    return code if code.isupper() else type(error).__name__
