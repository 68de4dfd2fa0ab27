"""What may be known about people and content: keyed fingerprints, never the thing itself.

A fingerprint is HMAC-SHA256 under the customer's own key, so the same prompt or person gives
unrelated fingerprints in two customers, and nobody without the key can test a guess.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from dlt_pipelines.errors import MindweaveError

KEY_BYTES = 32
BLOCK_BYTES = 64  # of SHA-256, as RFC 2104 needs it


@dataclass(frozen=True)
class CustomerKey:
    """The secret that keys one customer's fingerprints; no print of it shows it."""

    secret: bytes = field(repr=False)

    def fingerprint(self, kind: str, text: str) -> str:
        """Return the 64 hex digits that stand for ``text``; ``kind`` keeps uses apart."""
        message = f"{kind}\x1f{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self.secret, message, hashlib.sha256).hexdigest()

    def person(self, name: str) -> str:
        """Return the pseudonym of a person."""
        return "person_" + self.fingerprint("person", name)[:16]

    def sql_parameters(self) -> dict[str, bytes]:
        """Return the two padded keys that `fingerprint_sql` takes as named parameters."""
        block = self.secret.ljust(BLOCK_BYTES, b"\0")
        return {
            "inner_key": bytes(byte ^ 0x36 for byte in block),
            "outer_key": bytes(byte ^ 0x5C for byte in block),
        }


def fingerprint_sql(kind: str, text: str) -> str:
    """Return the DuckDB expression for `CustomerKey.fingerprint` of the SQL ``text``."""
    message = f"encode('{kind}' || chr(31) || {text})"
    return f"sha256($outer_key || unhex(sha256($inner_key || {message})))"


def customer_key(home: Path, customer: str) -> CustomerKey:
    """Return the customer's key, made at its first use.

    MINDWEAVE_PRIVACY_KEY, where set, keys every customer (each by a derived key), so that several
    machines that load into one warehouse agree; else the key is a file under ``home``.
    """
    shared = os.environ.get("MINDWEAVE_PRIVACY_KEY")
    if shared:
        if len(shared) < KEY_BYTES:
            raise MindweaveError(
                f"MINDWEAVE_PRIVACY_KEY is too short: use at least {KEY_BYTES} characters, "
                "for example from `openssl rand -hex 32`"
            )
        derived = hmac.new(shared.encode(), customer.encode(), hashlib.sha256).digest()
        return CustomerKey(derived)
    path = home / "keys" / f"{customer}.key"
    try:
        return _read_key(path)
    except FileNotFoundError:
        return _create_key(path)


def _read_key(path: Path) -> CustomerKey:
    try:
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise MindweaveError(
            f"the key file keys/{path.name} is damaged: restore it from a backup; with a new key "
            "every pseudonym changes"
        )
    return CustomerKey(secret)


def _create_key(path: Path) -> CustomerKey:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = secrets.token_bytes(KEY_BYTES)
    draft = path.with_suffix(f".{secrets.token_hex(8)}")
    draft.touch(mode=0o600)
    draft.write_text(secret.hex() + "\n", "ascii")
    try:
        os.link(draft, path)  # fails where another run was first, whose key then counts
    except FileExistsError:
        return _read_key(path)
    finally:
        draft.unlink()
    return CustomerKey(secret)
