import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from tests import servers
from tests.servers import postgresql

PROJECT = Path(__file__).parents[2]
START_A_SERVER_AND_HANG = """
import time
from tests import servers
with servers.postgres() as url:
    print(url, flush=True)
    time.sleep(600)
"""


def query(url, sql):
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_every_test_gets_an_empty_database_of_its_own(postgres_url, postgres_database):
    query(postgres_database, "create table calls (call_id text)")
    with servers.postgres_database(postgres_url) as other:
        assert query(other, "select count(*) from pg_tables where tablename = 'calls'") == [(0,)]
    assert not servers.can_connect(other)
    assert servers.can_connect(postgres_database)


def test_a_wrong_password_is_refused(postgres_url):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(postgres_url.replace("postgres:", "postgres:x"))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the server's owner from /proc")
def test_the_server_does_not_run_as_root(postgres_url):
    connection = psycopg2.connect(postgres_url)
    owner = os.stat(f"/proc/{connection.info.backend_pid}").st_uid
    connection.close()
    assert owner == servers.server_identity()[0] != 0


def test_the_server_and_its_data_are_gone_when_the_tests_are_killed():
    starter = subprocess.Popen(
        [sys.executable, "-c", START_A_SERVER_AND_HANG],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout
    url = starter.stdout.readline().strip()
    [(data,)] = query(url, "show data_directory")
    assert Path(data).is_dir()

    starter.kill()
    starter.wait()
    deadline = time.monotonic() + 20
    while Path(data).parent.exists() and time.monotonic() < deadline:
        time.sleep(0.05)

    assert not Path(data).parent.exists()
    assert not servers.can_connect(url)


def test_programs_that_the_server_user_may_not_read_are_copied(tmp_path, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("only root runs servers as somebody else")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    wheel = closed / postgresql.POSTGRES_WHEEL.name
    wheel.symlink_to(postgresql.POSTGRES_WHEEL)
    libraries = postgresql.POSTGRES_WHEEL.with_name(f"{postgresql.POSTGRES_WHEEL.name}.libs")
    (closed / libraries.name).symlink_to(libraries)
    monkeypatch.setattr(postgresql, "POSTGRES_WHEEL", wheel)
    with servers.postgres() as url:
        assert query(url, "select 1") == [(1,)]
