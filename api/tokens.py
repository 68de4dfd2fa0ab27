"""The tokens that senders show: each writes into one customer's log.

A token is 256 random bits, so its plain SHA-256 is safe to keep: nobody guesses what made it, and
looking it up by its hash tells nothing by how long it takes.
"""

import hashlib
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dlt_pipelines.errors import UsageError
from dlt_pipelines.sqlite_file import explained, open_sqlite, transaction

SCHEMA = """
create table tokens (
    token_hash blob primary key,
    token_id text not null unique,
    customer text not null,
    label text not null,
    created_at text not null,
    revoked_at text
) without rowid;
"""
PREFIX = "mw_"
TOKEN_BYTES = 32


@dataclass(frozen=True)
class Token:
    """What is known of a token: never the token."""

    token_id: str
    customer: str
    label: str
    created_at: datetime
    revoked_at: datetime | None


class TokenRegistry:
    """The tokens of all customers of a home, in a file that only its owner reads."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it."""
        self._path = path
        self._turn = threading.Lock()
        self._connection = open_sqlite(path, SCHEMA)

    def create(self, customer: str, label: str = "") -> str:
        """Return a new token, which nothing can show again."""
        token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        row = (_hash(token), secrets.token_hex(4), customer, label, _now())
        with self._turn, explained(self._path), transaction(self._connection):
            self._connection.execute(
                "insert into tokens (token_hash, token_id, customer, label, created_at) "
                "values (?, ?, ?, ?, ?)",
                row,
            )
        return token

    def customer_of(self, token: str) -> str | None:
        """Return whose token it is; None for one that is unknown or revoked.

        It asks the file every time, so that a revoked token is refused at once.
        """
        with self._turn, explained(self._path):
            found = self._connection.execute(
                "select customer from tokens where token_hash = ? and revoked_at is null",
                [_hash(token)],
            ).fetchone()
        return found[0] if found else None

    def list(self, customer: str | None = None) -> list[Token]:
        """Return the tokens of a customer or of all, the oldest first."""
        with self._turn, explained(self._path):
            rows = self._connection.execute(
                "select token_id, customer, label, created_at, revoked_at from tokens "
                "where customer = coalesce(?, customer) order by created_at, token_id",
                [customer],
            ).fetchall()
        return [
            Token(token_id, owner, label, datetime.fromisoformat(created_at), _time(revoked_at))
            for token_id, owner, label, created_at, revoked_at in rows
        ]

    def revoke(self, token_id: str) -> None:
        """Refuse a token from now on; raise UsageError where there is none of that id."""
        with self._turn, explained(self._path), transaction(self._connection):
            found = self._connection.execute(
                "update tokens set revoked_at = coalesce(revoked_at, ?) where token_id = ?",
                [_now(), token_id],
            ).rowcount
        if not found:
            raise UsageError(f"no token {token_id!r}: `mindweave tokens list` prints their ids")

    def close(self) -> None:
        """Give back what it holds open."""
        with self._turn:
            self._connection.close()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat()


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
