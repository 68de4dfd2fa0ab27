"""Tokens: whose events somebody may push, known by their hash alone."""

import stat
import time
from contextlib import closing

import pytest

from api.tokens import TokenRegistry
from dlt_pipelines.errors import EventStoreError, UsageError
from tests.transcripts import assert_one_line, mindweave


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mindweave" / "tokens.sqlite"


@pytest.fixture
def registry(path):
    with closing(TokenRegistry(path)) as opened:
        yield opened


def test_a_token_belongs_to_one_customer(registry):
    acme, other = registry.create("acme"), registry.create("other")

    assert registry.customer_of(acme) == "acme"
    assert registry.customer_of(other) == "other"


@pytest.mark.parametrize("guess", ["", "mw_", "mw_guess", "\ud800", "' or 1 = 1 --"])
def test_a_guess_belongs_to_nobody(registry, guess):
    token = registry.create("acme")

    assert registry.customer_of(guess) is None
    assert registry.customer_of(token[:-1]) is None
    assert registry.customer_of(token.upper()) is None


def test_a_token_is_random_and_recognised_by_its_beginning(registry):
    tokens = {registry.create("acme") for _ in range(20)}

    assert len(tokens) == 20
    # 256 bits are 43 characters of base64
    assert all(token.startswith("mw_") and len(token) == 46 for token in tokens)


def test_nothing_on_the_disk_shows_a_token(registry, path):
    token = registry.create("acme", "gateway")

    kept = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"gateway" in kept
    assert token.encode() not in kept
    assert token[10:20].encode() not in kept
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_that_another_process_made_or_revoked_counts_at_once(registry, path):
    home = path.parent
    done = mindweave(home, "tokens", "create", "--customer", "acme", "--label", "gateway eu")
    token = done.stdout.removesuffix("\n")
    [known] = registry.list("acme")
    assert (known.label, known.revoked_at) == ("gateway eu", None)
    assert registry.customer_of(token) == "acme"

    mindweave(home, "tokens", "revoke", known.token_id)

    assert registry.customer_of(token) is None


def test_revoking_takes_no_other_token_along(registry):
    first, second = registry.create("acme", "first"), registry.create("acme", "second")

    registry.revoke(next(one.token_id for one in registry.list() if one.label == "first"))

    assert registry.customer_of(first) is None
    assert registry.customer_of(second) == "acme"


def test_a_token_revoked_twice_was_revoked_the_first_time(registry):
    registry.create("acme")
    [token] = registry.list()
    registry.revoke(token.token_id)
    [once] = registry.list()
    registry.revoke(token.token_id)

    assert registry.list() == [once]
    assert once.revoked_at is not None


def test_an_unknown_id_is_wrong_use(registry):
    with pytest.raises(UsageError):
        registry.revoke("unknown")


def test_a_check_takes_no_time_that_a_sender_would_notice(registry):
    tokens = [registry.create("acme") for _ in range(100)]
    best = min(_seconds_of_checks(registry, tokens) for _ in range(20))

    assert best / len(tokens) < 0.000_05


def _seconds_of_checks(registry, tokens):
    start = time.perf_counter()
    for token in tokens:
        registry.customer_of(token)
    return time.perf_counter() - start


def test_a_damaged_file_says_so_in_one_line(path):
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)

    with pytest.raises(EventStoreError) as error:
        TokenRegistry(path)
    assert "tokens.sqlite is damaged" in str(error.value)


class TestTheCommand:
    def test_prints_a_new_token_alone_and_a_note_beside_it(self, path):
        done = mindweave(path.parent, "tokens", "create", "--customer", "acme")

        assert done.returncode == 0
        assert done.stdout.startswith("mw_")
        assert done.stdout.count("\n") == 1
        assert done.stderr.count("\n") == 1
        assert "is shown only now" in done.stderr
        assert done.stdout.strip() not in done.stderr

    def test_lists_whose_tokens_there_are_and_which_are_revoked(self, registry, path):
        tokens = [registry.create("acme", "gateway"), registry.create("other")]
        [first, second] = registry.list()
        registry.revoke(second.token_id)

        every = mindweave(path.parent, "tokens", "list").stdout
        acmes = mindweave(path.parent, "tokens", "list", "--customer", "acme").stdout

        assert [line.split()[:3] for line in every.splitlines()] == [
            [first.token_id, "acme", "created"],
            [second.token_id, "other", "created"],
        ]
        assert [("revoked" in line) for line in every.splitlines()] == [False, True]
        assert acmes == every.splitlines(keepends=True)[0]
        assert acmes.endswith(" gateway\n")
        assert not any(token in every for token in tokens)

    def test_of_wrong_use_ends_with_2_and_one_line(self, path):
        for arguments in (("revoke", "unknown"), ("create", "--customer", "No Slug")):
            done = mindweave(path.parent, "tokens", *arguments)
            assert done.returncode == 2
            assert_one_line(done.stderr)
