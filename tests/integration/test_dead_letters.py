"""Refused events: listed, inspected, sent again, discarded."""

import json

import pytest

from tests.intake import CANARY, PLUGIN, STRUCTURED, event
from tests.transcripts import assert_one_line

LATER = "com.example.later"


@pytest.fixture
def letters(intake, customer):
    """Run a command of dead letters; what it prints."""

    def run(command, *ids, status=0):
        done = intake.mindweave("dead-letters", command, *ids, "--customer", customer)
        assert done.returncode == status, done.stderr
        return done.stderr if status else done.stdout

    return run


@pytest.fixture
def refused(intake, customer):
    """Two refused events; the first is of a type that a source may bring later."""
    cost = json.dumps(event(1, {"call_id": CANARY, "tokens": 1, "cost": 7}, type=LATER))
    with intake.client(customer) as client:
        for body in (cost.replace(": 7}", ": 0.10}"), json.dumps(event(2, data=[]))):
            answer = client.post("/events", content=body, headers={"Content-Type": STRUCTURED})
            assert answer.status_code == 400


def names(text):
    return [line.split()[0] for line in text.splitlines()]


def test_refused_events_are_listed_with_the_reason_and_shown_whole(refused, letters):
    listed = letters("list")
    assert CANARY not in listed
    first, second = names(listed)
    assert "attribute type" in listed.splitlines()[0]
    assert "data is no JSON object" in listed.splitlines()[1]
    assert json.loads(letters("show", first))["data"]["call_id"] == CANARY
    assert '"cost":0.10' in letters("show", first)


def test_an_event_is_taken_once_its_type_is_known_and_others_stay(
    intake, customer, refused, letters
):
    assert (
        "0 taken, 2 still refused"
        in intake.mindweave("dead-letters", "resend", "--customer", customer).stdout
    )
    source = intake.home.parent / "sources" / "example_events.py"
    source.write_text(PLUGIN.replace("com.example.call", LATER))
    try:
        first, second = names(letters("list"))
        assert letters("resend", first) == "1 taken, 0 still refused\n"
    finally:
        source.write_text(PLUGIN)
    assert names(letters("list")) == [second]
    [entry] = intake.entries(customer)
    assert b'"cost":0.10,' in entry.body


def test_a_new_reason_replaces_the_old_one(intake, customer, refused, letters):
    source = intake.home.parent / "sources" / "example_events.py"
    source.write_text(PLUGIN.replace("com.example.call", LATER).replace('"tokens"]', '"model"]'))
    try:
        letters("resend", status=1)
    finally:
        source.write_text(PLUGIN)
    assert len(names(letters("list"))) == 2
    assert "data: model is missing" in letters("list")
    assert not intake.entries(customer)


def test_a_discarded_event_is_gone(refused, letters):
    first, second = names(letters("list"))
    assert letters("discard", first) == "1 discarded\n"
    assert names(letters("list")) == [second]


@pytest.mark.parametrize("command", ["show", "resend", "discard"])
def test_a_letter_that_is_none_is_said_in_one_line(refused, letters, command):
    stderr = letters(command, "0" * 32, status=2)
    assert_one_line(stderr)
    assert "dead-letters list" in stderr


def test_where_nothing_was_pushed_that_is_said(letters):
    assert_one_line(letters("list", status=1))
