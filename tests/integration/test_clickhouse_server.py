import contextlib
import http.client
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import clickhouse_connect
import clickhouse_driver  # type: ignore[import-untyped]
import pyarrow
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tests import servers
from tests.servers import chdb_node
from tests.servers.on_cluster_proxy import without_on_cluster
from tests.servers.processes import server_folder

PROJECT = Path(__file__).parents[2]
START_A_CLUSTER_AND_HANG = """
import time
from tests import servers
with servers.clickhouse_nodes() as cluster:
    print(cluster.url, *(node.url for node in cluster.nodes), flush=True)
    time.sleep(600)
"""
READER = """
<reader>
    <password>secret</password>
    <networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile>
    <quota>default</quota>
    <grants><query>GRANT SELECT ON customer_acme.*</query></grants>
</reader>
"""
query = servers.clickhouse_query


@contextlib.contextmanager
def http_client(url):
    parts = urlsplit(url)
    client = clickhouse_connect.get_client(
        host=parts.hostname,
        port=int(parse_qs(parts.query)["http_port"][0]),
        username=parts.username,
        password=parts.password,
    )
    try:
        yield client
    finally:
        client.close()


def native_client(url):
    parts = urlsplit(url)
    return clickhouse_driver.Client(
        parts.hostname, port=parts.port, user=parts.username, password=parts.password
    )


def make_calls(url):
    """Make the table "calls" in every shard, and the one over all of them."""
    query(url, "create database customer_acme on cluster mindweave")
    query(
        url,
        "create table customer_acme.calls_local on cluster mindweave (call_id Int64, name String)"
        " engine MergeTree order by call_id",
    )
    query(
        url,
        "create table customer_acme.calls on cluster mindweave as customer_acme.calls_local"
        " engine Distributed(mindweave, customer_acme, calls_local, call_id)",
    )


def insert_calls(url, count):
    query(
        url,
        f"insert into customer_acme.calls select number, 'x' from numbers({count})"
        " settings distributed_foreground_insert = 1",
    )


def test_http_and_native_protocol_reach_the_same_server(clickhouse):
    native = native_client(clickhouse)
    native.execute("create database customer_acme")
    native.execute("create table customer_acme.calls (call_id Int64) engine Memory")
    native.execute("insert into customer_acme.calls values", [(1,), (2,)])
    with http_client(clickhouse) as client:
        assert client.query("select sum(call_id) from customer_acme.calls").result_rows == [(3,)]
        assert client.command("select timezone()") == "UTC"
    native.disconnect()


@pytest.mark.parametrize("account", ["mindweave:wrong", "mindweave:", "default:"])
def test_nobody_gets_in_without_the_password(clickhouse_url, account):
    address = clickhouse_url.split("@")[1]
    assert servers.answers(clickhouse_url)
    assert not servers.answers(f"clickhouse://{account}@{address}")
    with pytest.raises(clickhouse_driver.errors.Error):
        native_client(f"clickhouse://{account}@{address}").execute("select 1")


def test_the_server_does_not_run_as_root(clickhouse_url):
    folder = query(clickhouse_url, "select path from system.disks").strip()
    assert os.stat(Path(folder) / "store").st_uid == servers.server_identity()[0] != 0


def test_a_library_that_the_server_user_may_not_read_is_served(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    wheel = closed / chdb_node.CHDB_WHEEL.name
    wheel.symlink_to(chdb_node.CHDB_WHEEL)
    monkeypatch.setattr(chdb_node, "CHDB_WHEEL", wheel)
    with servers.clickhouse() as url:
        assert query(url, "select 1") == "1\n"


def test_a_test_may_have_users_with_fewer_rights():
    with servers.clickhouse(more_users=READER) as url:
        reader = f"clickhouse://reader:secret@{url.split('@')[1]}"
        for customer in ("acme", "other"):
            query(url, f"create database customer_{customer}")
            query(url, f"create table customer_{customer}.calls engine Memory as select 7 as id")
        assert query(reader, "select id from customer_acme.calls") == "7\n"
        for refused in (
            "select id from customer_other.calls",
            "insert into customer_acme.calls values (8)",
        ):
            with pytest.raises(RuntimeError, match="ACCESS_DENIED"):
                query(reader, refused)


def test_servers_proxy_and_data_are_gone_when_the_tests_are_killed():
    with server_folder() as temporary:
        starter = subprocess.Popen(
            [sys.executable, "-c", START_A_CLUSTER_AND_HANG],
            cwd=PROJECT,
            env=os.environ | {"TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert starter.stdout
        urls = starter.stdout.readline().split()
        assert [servers.answers(url) for url in urls] == [True] * 3
        assert len(list(temporary.iterdir())) == 3

        starter.kill()
        starter.wait()
        deadline = time.monotonic() + 20
        while list(temporary.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)

        assert not list(temporary.iterdir())
        assert [servers.answers(url) for url in urls] == [False] * 3


def test_what_a_test_made_for_customers_is_dropped_on_every_node():
    with servers.clickhouse_nodes() as cluster:
        make_calls(cluster.url)
        query(cluster.nodes[1].url, "create database customer_other_raw")
        query(cluster.nodes[0].url, "create database customers")

        servers.drop_customer_databases(cluster.url)

        left = "select name from system.databases where name like 'customer%'"
        assert [query(node.url, left) for node in cluster.nodes] == ["customers\n", ""]


def test_a_distributed_table_holds_rows_on_both_shards_and_counts_them_all():
    with servers.clickhouse_nodes() as cluster:
        make_calls(cluster.url)
        insert_calls(cluster.url, 1000)
        assert query(cluster.url, "select count() from customer_acme.calls") == "1000\n"
        assert [
            query(node.url, "select count() from customer_acme.calls_local")
            for node in cluster.nodes
        ] == ["500\n", "500\n"]


def test_a_shard_that_was_down_still_has_its_rows():
    with servers.clickhouse_nodes() as cluster:
        make_calls(cluster.url)
        insert_calls(cluster.url, 1000)
        count = "select count() from customer_acme.calls"

        cluster.nodes[1].stop()
        assert query(cluster.url, "select count() from customer_acme.calls_local") == "500\n"
        with pytest.raises(RuntimeError, match="ALL_CONNECTION_TRIES_FAILED"):
            query(cluster.url, count)
        with pytest.raises(RuntimeError, match="is down"):
            query(cluster.url, "create database customer_other on cluster mindweave")

        cluster.nodes[1].start()
        assert query(cluster.url, count) == "1000\n"


def test_the_error_of_any_node_comes_through(clickhouse_cluster):
    with http_client(clickhouse_cluster) as client:
        for code, name, wrong in [
            (62, "SYNTAX_ERROR", "create tabel x on cluster mindweave"),
            (62, "SYNTAX_ERROR", "select 1 +"),
            (81, "UNKNOWN_DATABASE", "create view customer_no.x on cluster mindweave as select 1"),
        ]:
            with pytest.raises(DatabaseError, match=name) as refused:
                client.command(wrong)
            assert refused.value.code == code
        # only the second node knows this table
        port = query(clickhouse_cluster, "select port from system.clusters where not is_local")
        own_port = urlsplit(clickhouse_cluster).port
        second = native_client(clickhouse_cluster.replace(f":{own_port}/", f":{port.strip()}/"))
        client.command("create database customer_acme on cluster mindweave")
        second.execute("create table customer_acme.x (id Int64) engine Memory")
        second.disconnect()
        with pytest.raises(DatabaseError, match="TABLE_ALREADY_EXISTS") as refused:
            client.command(
                "create table customer_acme.x on cluster mindweave (id Int8) engine Memory"
            )
        assert refused.value.code == 57


def test_a_cluster_of_another_name_is_refused(clickhouse_cluster):
    with pytest.raises(RuntimeError, match="CLUSTER_DOESNT_EXIST"):
        query(clickhouse_cluster, "create database customer_acme on cluster other")


def test_bulk_data_passes_the_proxy_in_both_directions(clickhouse_cluster):
    make_calls(clickhouse_cluster)
    rows = pyarrow.table({"call_id": range(300_000), "name": ["on cluster mindweave"] * 300_000})
    with http_client(clickhouse_cluster) as client:
        client.insert_arrow(
            "customer_acme.calls", rows, settings={"distributed_foreground_insert": 1}
        )
        back = client.query_arrow("select * from customer_acme.calls order by call_id")
        assert back.to_pydict() == rows.to_pydict()


def test_one_connection_carries_many_statements_and_their_errors(clickhouse_cluster):
    parts = urlsplit(clickhouse_cluster)
    login = {"X-ClickHouse-User": parts.username, "X-ClickHouse-Key": parts.password}
    connection = http.client.HTTPConnection(
        parts.hostname, int(parse_qs(parts.query)["http_port"][0])
    )
    connection.connect()
    # it would connect again, unseen
    connection.auto_open = 0
    answers = []
    for statement in [
        "create database customer_acme on cluster mindweave",
        "create database customer_acme on cluster mindweave",
        "drop database customer_acme on cluster mindweave",
        "select 1",
    ]:
        connection.request("POST", "/", statement, login)
        answer = connection.getresponse()
        answers.append((answer.status, answer.headers["X-ClickHouse-Exception-Code"]))
        answer.read()
    connection.close()
    assert answers == [(200, None), (500, "82"), (200, None), (200, None)]


def test_half_an_answer_is_not_taken_for_a_whole_one(clickhouse_cluster):
    with pytest.raises(http.client.IncompleteRead):
        query(clickhouse_cluster, "select throwIf(number = 3000000) from numbers(10000000)")


@pytest.mark.parametrize(
    ("statement", "sent"),
    [
        ("create table t on cluster c (a Int8)", "create table t  (a Int8)"),
        (
            '/* on cluster c */\nDROP VIEW t\n  ON CLUSTER "c" SYNC',
            "/* on cluster c */\nDROP VIEW t\n   SYNC",
        ),
        (
            "-- dbt\nalter table t ON CLUSTER `c` drop column a",
            "-- dbt\nalter table t  drop column a",
        ),
        (
            "create table t on cluster c comment 'on cluster c'",
            "create table t  comment 'on cluster c'",
        ),
        ("create table t comment 'it\\'s on cluster c'", None),
        ("create table t on cluster cc (a Int8)", None),
        ("create table t (a Int8)", None),
        ("select 'drop table t on cluster c'", None),
        ("insert into t values ('on cluster c')", None),
    ],
)
def test_only_the_words_on_cluster_are_removed(statement, sent):
    assert without_on_cluster(statement, "c") == sent
