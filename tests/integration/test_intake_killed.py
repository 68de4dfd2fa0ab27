"""What was acknowledged is kept: through kill -9, a full disk and a store that goes away."""

import contextlib
import json
import resource
import signal

import pytest

from dlt_pipelines.config import Settings
from dlt_pipelines.event_store.opening import open_store
from tests import servers
from tests.intake import STRUCTURED, event, serving
from tests.senders import BATCH_EVENTS, EVENTS, SENDERS, Senders
from tests.servers.processes import free_port
from tests.small_disk import MEGABYTE, small_disk
from tests.transcripts import assert_one_line


@pytest.fixture(params=["sqlite", "redis"])
def url(request):
    return request.getfixturevalue("redis_server").url if request.param == "redis" else ""


def kept(home, url, customer="acme"):
    """Return the names of the events that a drain would read."""
    names, last = [], None
    settings = Settings(home, "", customer, event_store_url=url)
    with contextlib.closing(open_store(settings)) as store:
        while part := store.read(last, MEGABYTE):
            last = part[-1].position
            for stored in part:
                for line in stored.entry.body.splitlines():
                    names.append(json.loads(line)["id"].removeprefix("event-"))
    return names


def assert_each_kept(names, acknowledged):
    """Check that nothing is lost, and that only what was not answered came twice."""
    assert set(acknowledged) <= set(names)
    assert len(names) - len(set(names)) <= SENDERS * BATCH_EVENTS


class TestKilled:
    def test_the_server_loses_nothing_that_it_acknowledged(self, tmp_path, url):
        port = free_port()
        with serving(tmp_path, "--port", port, MINDWEAVE_EVENT_STORE=url) as intake:
            senders = Senders(intake)
            senders.wait_for(lambda: len(senders.acknowledged()) >= 4000)
            intake.process.send_signal(signal.SIGKILL)
            intake.process.wait()
        before = senders.acknowledged()
        assert len(before) < EVENTS
        assert_each_kept(kept(intake.home, url), before)

        with serving(tmp_path, "--port", port, MINDWEAVE_EVENT_STORE=url):
            senders.wait_until_done()

        assert_each_kept(kept(intake.home, url), senders.acknowledged())
        assert senders.refused() == []

    def test_redis_loses_nothing_that_was_acknowledged(self, tmp_path, redis_server):
        with serving(tmp_path, MINDWEAVE_EVENT_STORE=redis_server.url) as intake:
            senders = Senders(intake)
            senders.wait_for(lambda: len(senders.acknowledged()) >= 4000)
            redis_server.kill()
            senders.wait_for(senders.refused)
            redis_server.start()
            senders.wait_until_done()

        assert_each_kept(kept(intake.home, redis_server.url), senders.acknowledged())
        assert {status for status, _ in senders.refused()} == {503}
        assert all(int(seconds) > 0 for _, seconds in senders.refused())


class TestAStoreThatCouldLoseEvents:
    def test_is_refused_before_any_event_comes(self, tmp_path):
        with servers.redis_server(appendfsync="everysec") as redis_server:
            message = self._refusal(tmp_path, redis_server.url)

        assert "set `appendonly yes` and `appendfsync always` in it" in message

    def test_of_an_unknown_kind_is_wrong_use(self, tmp_path):
        message = self._refusal(tmp_path, "kafka://me:s3cret@host/0")

        assert "MINDWEAVE_EVENT_STORE is no redis://" in message
        assert "s3cret" not in message

    def _refusal(self, folder, url):
        with (
            pytest.raises(RuntimeError, match="did not start"),
            serving(folder, MINDWEAVE_EVENT_STORE=url),
        ):
            pass
        message = (folder / "server.log").read_text()
        assert_one_line(message)
        return message


class TestAFullDisk:
    def test_answers_503_until_there_is_room_and_loses_nothing(self, tmp_path):
        with (
            small_disk(tmp_path / "disk") as blocker,
            serving(tmp_path / "disk") as intake,
            intake.client() as watcher,
        ):
            senders = Senders(intake, batches=10, padding=5000)
            senders.wait_for(lambda: watcher.get("/health").status_code == 503)
            senders.wait_for(senders.refused)
            self._check_refused(intake, senders)

            blocker.unlink()

            senders.wait_until_done()
            assert watcher.get("/health").status_code == 200
            self._check_kept(intake, senders)

    def test_that_refuses_to_write_more_answers_503(self, tmp_path):
        with serving(tmp_path) as intake:
            pid, limit = intake.process.pid, resource.RLIMIT_FSIZE
            before = resource.prlimit(pid, limit, (2 * MEGABYTE, resource.RLIM_INFINITY))
            senders = Senders(intake, batches=10, padding=5000)
            senders.wait_for(senders.refused)
            self._check_refused(intake, senders)

            resource.prlimit(pid, limit, before)

            senders.wait_until_done()
            self._check_kept(intake, senders)

    def _check_refused(self, intake, senders):
        assert {status for status, _ in senders.refused()} == {503}
        assert all(int(seconds) > 0 for _, seconds in senders.refused())
        assert "acme.sqlite cannot be written" in intake.log.read_text()
        assert "Traceback" not in intake.log.read_text()

    def _check_kept(self, intake, senders):
        names = kept(intake.home, "")
        assert sorted(names) == sorted(senders.acknowledged())


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def steady(request, tmp_path_factory):
    """Serve for several tests, each with customers of its own; yield the store's URL with it."""
    server = request.param == "redis" and request.getfixturevalue("redis_for_session")
    url = server.url if server else ""
    with serving(tmp_path_factory.mktemp("steady"), MINDWEAVE_EVENT_STORE=url) as intake:
        yield intake, url


class TestTokens:
    def test_of_one_customer_never_write_into_the_others_log(self, steady):
        intake, url = steady
        with intake.client("one") as one, intake.client("two") as two:
            for client, name, customer in ((one, "mine", "two"), (two, "theirs", "one")):
                # whatever a request says of customers, the token decides
                answer = client.post(
                    f"/events?customer={customer}",
                    content=json.dumps(event(name, customer=customer, subject=customer)),
                    headers={"Content-Type": STRUCTURED, "X-Customer": customer},
                )
                assert answer.status_code == 202

        assert kept(intake.home, url, "one") == ["mine"]
        assert kept(intake.home, url, "two") == ["theirs"]

    def test_that_are_revoked_are_refused_at_once(self, steady):
        intake, url = steady
        with intake.client("revoked") as client, intake.client("revoked") as remaining:
            content = json.dumps(event("before"))
            assert send(client, content).status_code == 202
            listed = intake.mindweave("tokens", "list", "--customer", "revoked").stdout

            assert intake.mindweave("tokens", "revoke", listed.split()[0]).returncode == 0

            answer = send(client, json.dumps(event("after")))
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert send(remaining, json.dumps(event("others"))).status_code == 202
        assert kept(intake.home, url, "revoked") == ["before", "others"]


def send(client, content):
    return client.post("/events", content=content, headers={"Content-Type": STRUCTURED})
