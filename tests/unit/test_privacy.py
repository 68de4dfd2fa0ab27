import hashlib
import hmac
import stat
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.privacy import CustomerKey, customer_key, fingerprint_sql

KEY = CustomerKey(b"k" * 32)
DUCKDB = duckdb.connect()


@pytest.fixture(autouse=True)
def _no_shared_key(monkeypatch):
    monkeypatch.delenv("MINDWEAVE_PRIVACY_KEY", raising=False)


def test_a_fingerprint_is_hmac_sha256_of_kind_and_text():
    expected = hmac.new(b"k" * 32, b"project\x1f/home/dana", hashlib.sha256).hexdigest()

    assert KEY.fingerprint("project", "/home/dana") == expected


def test_a_fingerprint_differs_by_key_by_kind_and_by_text():
    prints = {
        KEY.fingerprint("project", "a"),
        KEY.fingerprint("person", "a"),
        KEY.fingerprint("project", "b"),
        CustomerKey(b"other" * 7).fingerprint("project", "a"),
    }

    assert len(prints) == 4


@settings(deadline=None)
@given(st.text(), st.binary(min_size=32, max_size=64))
def test_duckdb_and_python_make_the_same_fingerprint(text, secret):
    key = CustomerKey(secret)
    statement = f"select {fingerprint_sql('project', '$text')}"
    row = DUCKDB.execute(statement, {"text": text, **key.sql_parameters()}).fetchone()

    assert row == (key.fingerprint("project", text),)


def test_half_a_surrogate_pair_has_a_fingerprint_too():
    assert len(KEY.fingerprint("path", "/home/\udcff")) == 64


def test_the_key_is_in_no_print_of_it():
    assert repr(KEY) == "CustomerKey()"


def test_a_person_is_a_pseudonym_that_stays_the_same():
    assert KEY.person("dana") == KEY.person("dana")
    assert KEY.person("dana").startswith("person_")
    assert "dana" not in KEY.person("dana")


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    key = customer_key(tmp_path, "local")

    assert customer_key(tmp_path, "local") == key
    path = tmp_path / "keys" / "local.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert bytes.fromhex(path.read_text().strip()) == key.secret
    assert list(path.parent.iterdir()) == [path], "no draft is left"


def test_runs_that_start_together_agree_on_one_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: customer_key(tmp_path, "local"), range(8)))

    assert len({key.secret for key in keys}) == 1


def test_customers_have_unrelated_keys(tmp_path):
    assert customer_key(tmp_path, "acme") != customer_key(tmp_path, "globex")


@pytest.mark.parametrize("content", [b"", b"not hex\n", b"ab" * 31, b"ab" * 33, b"\xff\xfe\x00"])
def test_a_damaged_key_file_is_said_and_not_replaced(tmp_path, content):
    path = tmp_path / "keys" / "local.key"
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(MindweaveError, match=r"keys/local\.key is damaged: restore it"):
        customer_key(tmp_path, "local")
    assert path.read_bytes() == content


def test_machines_that_share_a_key_agree_and_customers_still_differ(tmp_path, monkeypatch):
    monkeypatch.setenv("MINDWEAVE_PRIVACY_KEY", "s" * 32)

    here, there = (customer_key(tmp_path / machine, "acme") for machine in ("here", "there"))

    assert here == there
    assert here != customer_key(tmp_path, "globex")
    assert b"s" * 32 not in here.secret
    assert not (tmp_path / "here").exists(), "no key file is needed"


def test_a_shared_key_that_could_be_guessed_is_refused_and_not_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("MINDWEAVE_PRIVACY_KEY", "hunter2")

    with pytest.raises(MindweaveError, match="use at least 32 characters") as caught:
        customer_key(tmp_path, "acme")
    assert "hunter2" not in str(caught.value)
