"""What a user reads when a PostgreSQL cannot be used, from a real server."""

import secrets
from pathlib import Path

import psycopg2
import pytest

from dlt_pipelines import postgres_warehouse
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError
from tests import transcripts


@pytest.fixture
def guest(postgres_database: str) -> str:
    """Return the URL of a user who may connect and nothing else."""
    name = f"guest_{secrets.token_hex(4)}"  # roles belong to the server, not to the database
    connection = psycopg2.connect(postgres_database)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create role {name} login password 'guest'")
    connection.close()
    return f"postgresql://{name}:guest@{postgres_database.split('@')[1]}"


def refusal(home: Path, warehouse_url: str) -> str:
    """Return the one line that a load into the warehouse ends with."""
    source = transcripts.write(home.parent / "t" / "s.jsonl", transcripts.answer(1))
    done = transcripts.mindweave(home, "load", "--path", source, MINDWEAVE_WAREHOUSE=warehouse_url)
    assert done.returncode == 1
    transcripts.assert_one_line(done.stderr)
    return done.stderr


def test_a_wrong_password_is_said_and_not_quoted(tmp_path: Path, guest: str) -> None:
    line = refusal(tmp_path / "home", guest.replace(":guest@", ":s3cret@"))

    assert "password authentication failed" in line
    assert "check MINDWEAVE_WAREHOUSE" in line
    assert "s3cret" not in line


def test_no_right_to_make_a_schema_says_what_to_grant(tmp_path: Path, guest: str) -> None:
    line = refusal(tmp_path / "home", guest)

    assert "no right to make the schema customer_local_raw" in line
    assert "grant create on the database to this user, or make the schema for it" in line


def test_a_server_that_is_too_old_is_refused(
    monkeypatch: pytest.MonkeyPatch, postgres_database: str
) -> None:
    monkeypatch.setattr(postgres_warehouse, "OLDEST_VERSION", 99)

    with pytest.raises(MindweaveError, match=r"is PostgreSQL \d+: the models need 99 or newer"):
        warehouse_at(postgres_database).check()
