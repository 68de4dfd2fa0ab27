"""What loading asks of a warehouse, on a ClickHouse server and a cluster of two shards."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dlt_pipelines import clickhouse_warehouse
from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.load import load_source
from flows.locks import exclusive_run
from tests import servers, transcripts

LOCK_HOLDER = """
import sys, time
from dlt_pipelines.destinations import warehouse_at

with warehouse_at(sys.argv[1]).advisory_lock("customer_local_raw") as is_free:
    print(is_free, flush=True)
    time.sleep(60)
"""
READER = (
    "<reader><password>r</password><grants><query>GRANT SELECT ON *.*</query></grants></reader>"
)


@pytest.fixture(params=["clickhouse", "clickhouse_cluster"])
def warehouse_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def settings(tmp_path: Path, warehouse_url: str) -> Settings:
    return Settings(tmp_path / "home", warehouse_url, "local")


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    return transcripts.write(
        tmp_path / "t" / "s.jsonl",
        transcripts.answer(
            1, timestamp="2025-10-03T23:59:59.999999+02:00", costUSD="0.123456789012345"
        ),
        transcripts.tool_use(2),
        transcripts.tool_result(2),
        "not json",
    )


@pytest.fixture
def one_shard_down() -> Iterator[str]:
    with servers.clickhouse_nodes() as cluster:
        cluster.nodes[1].stop()
        yield cluster.url


def test_what_lands_is_exact_and_lands_once(settings: Settings, transcript: Path) -> None:
    for _ in range(2):
        load_source(settings, "claude_code", {"roots": [{"path": transcript}]})
    transcripts.append(transcript, transcripts.answer(3))
    load_source(settings, "claude_code", {"roots": [{"path": transcript}]})

    messages = warehouse_at(settings.warehouse_url).query(
        f"""
        select line_number, observed_at, cost_usd, is_sidechain, input_tokens
        from {settings.raw_schema}.claude_code_messages order by line_number
        """
    )
    assert messages.slice(0, 1).to_pylist() == [
        {
            "line_number": 1,
            "observed_at": datetime(2025, 10, 3, 21, 59, 59, 999999),
            "cost_usd": Decimal("0.123456789012345"),
            "is_sidechain": False,
            "input_tokens": 6,
        }
    ]
    assert messages["line_number"].to_pylist() == [1, 2, 5]
    quarantined = warehouse_at(settings.warehouse_url).query(
        f"select line_number, reason from {settings.raw_schema}.quarantine"
    )
    assert quarantined.to_pylist() == [{"line_number": 4, "reason": "the line is not valid JSON"}]


@pytest.mark.parametrize("jobs", ["started_jobs", "completed_jobs"])
def test_a_load_killed_while_it_writes_and_run_again_lands_nothing_twice(
    settings: Settings, tmp_path: Path, jobs: str
) -> None:
    kinds = (transcripts.answer, transcripts.tool_use, transcripts.tool_result)
    lines: list[transcripts.Record | str] = []
    for number in range(400):
        lines += [*(kind(number) for kind in kinds), "broken"]
    source = transcripts.write(tmp_path / "t" / "s.jsonl", *lines)
    warehouse = {"MINDWEAVE_WAREHOUSE": settings.warehouse_url}
    killed = transcripts.Killed(settings.home, "load", "--path", source, **warehouse)
    assert killed.when_there_is(settings.home, f"dlt/*/*/load/normalized/*/{jobs}/*"), "too late"
    transcripts.succeeds(
        transcripts.mindweave(settings.home, "load", "--path", source, **warehouse)
    )

    landed = {
        table: warehouse_at(settings.warehouse_url)
        .query(f"select count() as landed from {settings.raw_schema}.{table}")["landed"]
        .to_pylist()
        for table in ("claude_code_messages", "claude_code_tool_uses", "quarantine", "loads")
    }
    assert landed == {
        "claude_code_messages": [800],
        "claude_code_tool_uses": [400],
        "quarantine": [400],
        "loads": [1],
    }


def test_a_cluster_spreads_the_rows_over_its_shards(
    tmp_path: Path, clickhouse_cluster: str
) -> None:
    source = transcripts.write(tmp_path / "s.jsonl", *map(transcripts.answer, range(2000)))
    settings = Settings(tmp_path / "home", clickhouse_cluster, "local")
    for number in range(3):
        transcripts.append(
            source, *map(transcripts.answer, range(number * 100, number * 100 + 100))
        )
        load_source(settings, "claude_code", {"roots": [{"path": source}]})

    shards = warehouse_at(clickhouse_cluster).query(
        """
        select count() as rows
        from clusterAllReplicas('mindweave', customer_local_raw.claude_code_messages_local)
        group by hostName(), _shard_num
        """
    )
    assert len(shards) == 2
    assert sum(shards["rows"].to_pylist()) == 2300
    whole = warehouse_at(clickhouse_cluster).query(
        "select count() as rows from customer_local_raw.claude_code_messages"
    )
    assert whole["rows"].to_pylist() == [2300]


def test_a_second_run_is_refused_until_the_first_is_gone_even_by_a_kill(settings: Settings) -> None:
    command = [sys.executable, "-c", LOCK_HOLDER, settings.warehouse_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with pytest.raises(MindweaveError, match="another run of customer local is writing to"):
            with exclusive_run(settings):
                raise AssertionError("two runs at once")
        holder.send_signal(signal.SIGKILL)
    with exclusive_run(settings):
        pass
    with exclusive_run(settings):  # given back at the end, too
        pass


@pytest.mark.parametrize("command", ["load", "build", "report", "run"])
def test_a_shard_that_is_down_is_an_error_and_never_a_smaller_number(
    tmp_path: Path, transcript: Path, command: str
) -> None:
    with servers.clickhouse_nodes() as cluster:
        warehouse = {"MINDWEAVE_WAREHOUSE": cluster.url}
        transcripts.succeeds(
            transcripts.mindweave(tmp_path / "home", "load", "--path", transcript, **warehouse)
        )
        cluster.nodes[1].stop()
        transcripts.append(transcript, transcripts.answer(3))
        paths = ("--path", transcript) if command in ("load", "run") else ()
        done = transcripts.mindweave(tmp_path / "home", command, *paths, **warehouse)
    assert done.returncode == 1
    transcripts.assert_one_line(done.stderr)
    assert "a shard of the cluster is down: start it, then run this again" in done.stderr


def test_what_is_wrong_with_a_server_is_said_in_one_line(
    tmp_path: Path, transcript: Path, clickhouse: str
) -> None:
    password = clickhouse.split(":")[2].split("@")[0]
    port = clickhouse.split("http_port=")[1].split("&")[0]
    for url, message in (
        (clickhouse.replace(password, "s3cret"), "check user and password"),
        (clickhouse.replace(f"http_port={port}", "http_port=1"), "cannot reach clickhouse://127"),
        (clickhouse + "&cluster=nowhere", "check `cluster` in MINDWEAVE_WAREHOUSE"),
        (clickhouse + "&sslmode=require", "ClickHouse has no parameter sslmode"),
        (clickhouse.replace(f"http_port={port}", "http_port=x"), "is no URL of a ClickHouse"),
    ):
        done = transcripts.mindweave(
            tmp_path / "home", "load", "--path", transcript, MINDWEAVE_WAREHOUSE=url
        )
        assert done.returncode != 0
        transcripts.assert_one_line(done.stderr)
        assert message in done.stderr
        assert "s3cret" not in done.stderr


def test_a_server_that_is_too_old_is_refused(
    monkeypatch: pytest.MonkeyPatch, clickhouse: str
) -> None:
    monkeypatch.setattr(clickhouse_warehouse, "OLDEST_VERSION", (99, 1))

    with pytest.raises(
        MindweaveError, match=r"is ClickHouse 26\.\S+: the models need 99.1 or newer"
    ):
        warehouse_at(clickhouse).check()


def test_no_right_to_make_a_database_is_said_in_one_line(tmp_path: Path, transcript: Path) -> None:
    with servers.clickhouse(more_users=READER) as url:
        reader = "clickhouse://reader:r@" + url.split("@")[1]
        done = transcripts.mindweave(
            tmp_path / "home", "load", "--path", transcript, MINDWEAVE_WAREHOUSE=reader
        )
    assert done.returncode == 1
    transcripts.assert_one_line(done.stderr)
    assert "grant it to this user, or let an administrator make the database" in done.stderr
