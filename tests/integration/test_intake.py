"""Who may push events, how much, and what a server promises about what it acknowledged."""

import asyncio
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from api.app import Limits, create_app
from api.tokens import TokenRegistry
from dlt_pipelines.config import Settings
from dlt_pipelines.event_gate import open_gate
from dlt_pipelines.event_store.sqlite_store import SqliteStore
from tests.intake import BATCH, CANARY, STRUCTURED, event, serving
from tests.servers.processes import free_port
from tests.transcripts import MINDWEAVE, REPOSITORY, assert_one_line

MEBIBYTE = 2**20


def post(client, content, content_type=STRUCTURED, path="/events", **headers):
    body = content if isinstance(content, str | bytes) else json.dumps(content)
    return client.post(path, content=body, headers={"Content-Type": content_type} | headers)


def ids(intake, customer):
    return {found["id"] for found in intake.events(customer)}


# tokens


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer mw_unknown",
        "Basic bXc6bXc=",
        "Bearer \xff\xfe",
        "mw_a",
    ],
)
def test_without_a_token_that_counts_nothing_comes_in(intake, authorization):
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    with httpx.Client(base_url=intake.address, headers=headers, verify=False) as client:  # noqa: S501
        for path in ("/events", "/v1/logs", "/v1/traces", "/v1/metrics"):
            answer = post(client, event(), path=path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "mindweave tokens" in answer.json()["error"]


def test_a_token_in_the_address_counts_and_no_cache_may_keep_the_answer(intake, customer):
    token = intake.token(customer)
    path = f"/events?access_token={token}"
    with httpx.Client(base_url=intake.address, verify=False) as client:  # noqa: S501
        answer = post(client, event(), path=path)
        assert (answer.status_code, answer.headers["cache-control"]) == (202, "no-store")
        answer = post(client, "no event", path=path)
        assert (answer.status_code, answer.headers["cache-control"]) == (400, "no-store")
    assert token not in intake.log.read_text()


def test_a_revoked_token_is_refused_at_once(intake, customer):
    with intake.client(customer) as client:
        assert post(client, event(1)).status_code == 202
        [line] = intake.mindweave("tokens", "list", "--customer", customer).stdout.splitlines()
        assert intake.mindweave("tokens", "revoke", line.split()[0]).returncode == 0
        assert post(client, event(2)).status_code == 401
    assert ids(intake, customer) == {"event-1"}


def test_a_token_writes_into_its_own_customers_log_alone(intake):
    with intake.client("first") as first, intake.client("second") as second:
        assert (
            post(first, event(1, customer="second"), **{"ce-customer": "second"}).status_code == 202
        )
        assert post(second, event(2), path="/events?customer=first").status_code == 202
        assert post(second, event(3, data=[])).status_code == 400
    assert (ids(intake, "first"), ids(intake, "second")) == ({"event-1"}, {"event-2"})
    assert not intake.letters("first")
    [first], [second] = intake.events("first"), intake.events("second")
    assert first["data"] == {"call_id": "call-1", "tokens": 12}


# limits


def test_a_body_that_is_too_long_is_refused_whatever_it_says_of_its_length(intake, customer):
    with intake.client(customer) as client:
        assert post(client, b" " * 17 * MEBIBYTE).status_code == 413
        chunks = (b" " * MEBIBYTE for _ in range(17))
        answer = client.post("/events", content=chunks, headers={"Content-Type": STRUCTURED})
        assert answer.status_code == 413
        assert post(client, event()).status_code == 202


def test_a_bomb_is_refused_before_it_is_unzipped(intake, customer):
    bomb = gzip.compress(b" " * 256 * MEBIBYTE, 1)
    assert len(bomb) < 2 * MEBIBYTE
    with intake.client(customer) as client:
        answer = post(client, bomb, **{"Content-Encoding": "gzip"})
        assert answer.status_code == 413
        assert post(client, event()).status_code == 202
    status = Path(f"/proc/{intake.process.pid}/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])
    assert peak_kib < 400 * 1024


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no gzip", "gzip", 400),
        (gzip.compress(b"{}")[:-4], "gzip", 400),
        (gzip.compress(b"{}") + b"more", "gzip", 400),
        (b"{}", "br", 415),
    ],
    ids=["no gzip", "cut off", "something behind it", "another encoding"],
)
def test_what_cannot_be_unzipped_is_refused(intake, customer, body, encoding, status):
    with intake.client(customer) as client:
        answer = post(client, body, **{"Content-Encoding": encoding})
    assert answer.status_code == status
    assert "\n" not in answer.json()["error"]


def test_a_zipped_event_in_several_parts_is_taken(intake, customer):
    text = json.dumps(event()).encode()
    with intake.client(customer) as client:
        body = gzip.compress(text[:20]) + gzip.compress(text[20:])
        assert post(client, body, **{"Content-Encoding": "gzip"}).status_code == 202


def test_a_batch_of_too_many_events_is_refused_whole(intake, customer):
    with intake.client(customer) as client:
        assert post(client, [event()] * 10_001, BATCH).status_code == 413
        assert post(client, [event()] * 10_000, BATCH).json()["accepted"] == 10_000
    assert len(intake.events(customer)) == 10_000


def test_who_sends_too_often_is_told_when_to_come_again(tmp_path):
    with serving(tmp_path, "--rate", 5) as intake:
        with intake.client() as first, intake.client() as second:
            answers = [post(first, event(number)) for number in range(30)]
            assert post(second, event("second")).status_code == 202
        refused = [answer for answer in answers if answer.status_code != 202]
        assert refused
        assert {answer.status_code for answer in refused} == {429}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        taken = {f"event-{n}" for n, answer in enumerate(answers) if answer.status_code == 202}
        assert ids(intake, "acme") == taken | {"event-second"}


def test_more_than_fits_in_memory_is_put_off(tmp_path):
    with closing(TokenRegistry(tmp_path / "tokens.sqlite")) as registry:
        app = create_app(
            registry,
            lambda customer: SqliteStore(tmp_path / f"{customer}.sqlite"),
            lambda customer: open_gate(Settings(tmp_path, "", customer), {}),
            Limits(held_bytes=100),
        )
        headers = {
            "Authorization": f"Bearer {registry.create('acme')}",
            "Content-Type": BATCH,
        }

        async def send():
            transport = httpx.ASGITransport(app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(
                    transport=transport, base_url="http://test", headers=headers
                ) as client,
            ):
                return [
                    await client.post("/events", content=b"[]" + b" " * n) for n in (90, 99, 90)
                ]

        answers = asyncio.run(send())
    assert [answer.status_code for answer in answers] == [202, 503, 202]
    assert answers[1].headers["retry-after"] == "5"


def test_an_error_of_ours_tells_nobody_what_was_sent(caplog):
    class Broken:
        def customer_of(self, token):
            raise RuntimeError(CANARY)

    app = create_app(Broken(), SqliteStore, open_gate)  # type: ignore[arg-type]

    async def send():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/events", headers={"Authorization": "Bearer mw_a"})

    answer = asyncio.run(send())
    assert answer.status_code == 500
    assert "\n" not in answer.json()["error"]
    assert "unexpected RuntimeError at" in caplog.text
    assert CANARY not in answer.text + caplog.text
    assert "Traceback" not in answer.text + caplog.text


# what is acknowledged is kept


def test_a_store_that_cannot_be_used_answers_503_until_it_can(tmp_path):
    with serving(tmp_path) as intake, intake.client() as client:
        (intake.home / "events").write_text("in the way")
        answer = post(client, event(1))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert client.get("/health").status_code == 503
        assert "events of acme are not kept" in intake.log.read_text()
        (intake.home / "events").unlink()
        assert post(client, event(2)).status_code == 202
        (intake.home / "keys" / "other.key").mkdir()
        with intake.client("other") as other:
            assert post(other, event(1)).status_code == 503
        assert client.get("/health").status_code == 200
        assert ids(intake, "acme") == {"event-2"}


def test_a_server_that_is_stopped_finishes_what_it_has_begun(tmp_path):
    acknowledged: set[str] = set()
    turn = threading.Lock()
    with serving(tmp_path) as intake:

        def send(sender):
            with intake.client() as client:
                for number in range(sender * 10_000, (sender + 1) * 10_000, 50):
                    batch = [event(n) for n in range(number, number + 50)]
                    try:
                        if post(client, batch, BATCH).status_code != 202:
                            return
                    except httpx.TransportError:
                        return
                    with turn:
                        acknowledged.update(found["id"] for found in batch)

        threads = [threading.Thread(target=send, args=[sender]) for sender in range(4)]
        for thread in threads:
            thread.start()
        while len(acknowledged) < 5_000:
            threads[0].join(0.01)
        status = intake.stop()
        for thread in threads:
            thread.join()
        assert status == 0
        assert acknowledged == ids(intake, "acme")
        assert len(intake.log.read_text().splitlines()) == 1


# the server and its command


def test_a_port_that_is_taken_is_said_in_one_line(intake):
    port = intake.address.rpartition(":")[2]
    done = intake.mindweave("serve", "--port", port)
    assert done.returncode == 1
    assert_one_line(done.stderr)
    assert f"port {port}" in done.stderr


def test_a_host_that_is_none_is_said_in_one_line(intake):
    done = intake.mindweave("serve", "--host", "300.1.1.1", "--port", free_port())
    assert done.returncode == 2
    assert_one_line(done.stderr)
    assert "--host" in done.stderr


@pytest.mark.parametrize(
    ("url", "status", "word"),
    [("http://localhost", 2, "MINDWEAVE_EVENT_STORE"), ("redis://127.0.0.1:1/0", 1, "Redis")],
)
def test_a_store_that_is_no_use_is_said_in_one_line_at_the_start(intake, url, status, word):
    done = subprocess.run(
        [MINDWEAVE, "serve", "--port", "0"],
        env=intake.environment | {"MINDWEAVE_EVENT_STORE": url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == status
    assert_one_line(done.stderr)
    assert word in done.stderr


def test_health_and_numbers_need_no_token_and_name_no_content(intake, customer):
    with intake.client(customer) as client:
        post(client, [event(1, subject=CANARY), event(2, data=[CANARY])], BATCH)
        post(client, '{"resourceLogs": [{}]}', "application/json", "/v1/logs")
    with httpx.Client(base_url=intake.address, verify=False) as client:  # noqa: S501
        assert client.get("/health").json() == {"status": "ok"}
        page = client.get("/metrics").text
    for line in (
        f'mindweave_intake_events_total{{customer="{customer}",outcome="accepted"}} 1.0',
        f'mindweave_intake_events_total{{customer="{customer}",outcome="refused"}} 1.0',
        f'mindweave_intake_otlp_requests_total{{customer="{customer}",signal="logs"}} 1.0',
    ):
        assert line in page.splitlines()
    assert CANARY not in page


def test_there_is_a_document_and_no_page_that_loads_from_elsewhere(intake):
    with httpx.Client(base_url=intake.address, verify=False) as client:  # noqa: S501
        assert set(client.get("/openapi.json").json()["paths"]) == {
            "/events", "/v1/logs", "/v1/traces", "/v1/metrics", "/health", "/metrics"
        }  # fmt: skip
        for path in ("/docs", "/redoc", "/", "/events/"):
            assert client.get(path, follow_redirects=False).status_code in (307, 404)
        assert client.get("/events").status_code == 405


def test_the_server_imports_nothing_that_it_does_not_need(intake):
    code = (
        "import sys, flows.cli, api.server; from dlt_pipelines.plugin import installed_plugins; "
        "installed_plugins(); from dlt_pipelines.event_gate import event_types; "
        "print(*sorted({'dlt', 'dbt', 'great_expectations', 'prefect'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=intake.environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "")


def test_the_examples_of_the_guide_work_as_they_stand(intake, customer):
    text = (REPOSITORY / "docs" / "events.md").read_text("utf-8")
    examples = re.findall(r"```sh\n(curl .*?)```", text, re.DOTALL)
    assert len(examples) == 3
    if not shutil.which("curl"):
        pytest.skip("no curl: install it to run the examples of docs/events.md")
    for example in examples:
        done = subprocess.run(
            ["bash", "-c", example.replace("http://127.0.0.1:8765", intake.address)],
            env=os.environ | {"TOKEN": intake.token(customer)},
            capture_output=True,
            text=True,
        )
        assert done.stdout.startswith("HTTP/1.1 202"), done.stdout
    assert done.stdout.splitlines()[-1] in text
    assert [found["id"] for found in intake.events(customer)] == ["1", "1", "2"]
    assert "dana" not in str(intake.events(customer))
