"""Events from a sender to the marts, through the death of everything on the way."""

import signal

import pytest

from tests import pushed
from tests.intake import serving
from tests.senders import EVENTS, Senders
from tests.servers.processes import free_port
from tests.transcripts import Killed, home_settings, mindweave, rows, succeeds

# of a drain: its rows are written, they are handed to dlt, they are on their way into the warehouse
MOMENTS = (
    "landing/acme-events/events-*",
    "dlt/*/*/normalize/extracted/*",
    "dlt/*/*/load/normalized/*",
)


@pytest.fixture(params=["sqlite", "redis"])
def url(request):
    return request.getfixturevalue("redis_server").url if request.param == "redis" else ""


def test_each_acknowledged_call_is_in_the_marts_once_whatever_is_killed(tmp_path, url):
    port, variables = free_port(), {"MINDWEAVE_EVENT_STORE": url, "MINDWEAVE_CUSTOMER": "acme"}
    with serving(tmp_path, "--port", port, **variables) as intake:
        senders = Senders(intake, make_event=pushed.call)
        senders.wait_for(lambda: len(senders.acknowledged()) >= 3000)
        intake.process.send_signal(signal.SIGKILL)
        intake.process.wait()
    home = intake.home
    first = senders.acknowledged()
    assert len(first) < EVENTS
    for moment in MOMENTS:
        assert Killed(home, "drain", **variables).when_there_is(home, moment), moment
    succeeds(mindweave(home, "drain", **variables))

    with serving(tmp_path, "--port", port, **variables):
        senders.wait_until_done()
        succeeds(mindweave(home, "drain", **variables))
    succeeds(mindweave(home, "build", **variables))

    settings = home_settings(home, "acme")
    for mart, name in (("event_log", "event_id"), ("mcp_calls", "call_id")):
        counts = f"select count(*), count(distinct {name}) from {{marts}}.{mart}"
        assert rows(settings, counts) == [(EVENTS, EVENTS)], mart
    found = rows(settings, "select sum(input_tokens), max(source_count) from {marts}.mcp_calls")
    assert found == [(250 * EVENTS, 1)]
    assert rows(settings, "select count(*) from {marts}.event_conflicts") == [(0,)]
    acknowledged = {f"event-{name}" for name in senders.acknowledged()}
    assert {name for (name,) in rows(settings, "select event_id from {marts}.event_log")} == (
        acknowledged
    )
