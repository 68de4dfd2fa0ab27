"""CloudEvents 1.0 by HTTP, structured, binary and batched, as its documents ask for them."""

import json
from urllib.parse import quote

import pytest

from tests.intake import BATCH, CALL, CANARY, STRUCTURED, event

DATA = {"call_id": "call-1", "tokens": 12}


def without(name):
    return {key: value for key, value in event().items() if key != name}


def post(client, content, content_type, headers=None):
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    return client.post(
        "/events", content=content, headers=[("Content-Type", content_type), *(headers or [])]
    )


def binary(client, data=DATA, content_type="application/json", **changes):
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": "event-1",
        "ce-source": "//gateway.example.com/eu-1",
        "ce-type": CALL,
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    headers = [(name, value) for name, value in attributes.items() if value is not None]
    return post(client, data, content_type, headers)


ADMITTED = [
    ("plain", event()),
    ("with every attribute", event(subject="a", dataschema="x:y", datacontenttype="text/json")),
    ("null attributes, which are absent ones", event(subject=None, time=None, dataschema=None)),
    ("with extensions", event(traceparent="00-6f", authid="x", sequence=7, sampled=True)),
    ("standing for one occurrence", event(sampledrate=1)),
    (
        "with data in base64",
        without("data") | {"data_base64": "eyJjYWxsX2lkIjoiYyIsInRva2VucyI6MX0="},
    ),
]
REFUSED = [
    *((f"without {name}", without(name), name) for name in ("id", "source", "type", "specversion")),
    *((f"with an empty {name}", event(**{name: ""}), name) for name in ("id", "source", "type")),
    ("with a null id", event(id=None), "id"),
    ("with a number as id", event(id=7), "id"),
    ("with an empty subject", event(subject=""), "subject"),
    ("of another version", event(specversion="0.3"), "specversion"),
    ("of a version with a patch", event(specversion="1.0.2"), "specversion"),
    ("with both data members", event(data_base64="e30="), "data_base64"),
    ("with both, one null", event() | {"data": None, "data_base64": "e30="}, "data_base64"),
    ("with base64 that is none", without("data") | {"data_base64": "%%"}, "data_base64"),
    ("without data", without("data"), "data"),
    ("with a JSON text as data", event(data='{"call_id": "c", "tokens": 1}'), "data"),
    ("with a list as data", event(data=[1]), "data"),
    ("at a day", event(time="2026-08-03"), "time"),
    ("at a time without zone", event(time="2026-08-03T10:15:04"), "time"),
    ("at a time that never was", event(time="2026-02-30T10:15:04Z"), "time"),
    ("at a time before any warehouse", event(time="0001-01-01T00:00:00+14:00"), "time"),
    ("with a line break in its id", event(id="a\nb"), "id"),
    ("standing for ten", event(sampledrate=10), "sampledrate"),
    ("standing for ten, in words", event(sampledrate="10"), "sampledrate"),
    ("with an extension that is an object", event(ext={"a": 1}), "extension"),
    ("with an extension in upper case", event(EXT="a"), "name"),
    ("of a type that nobody takes", event(type="com.example.other"), "type"),
    ("of telemetry's type", event(type="io.opentelemetry.otlp.logs"), "/v1/logs"),
    ("that lacks a member", event(data={"call_id": "c"}), "tokens is missing"),
    ("with a wrong member", event(data=DATA | {"tokens": "12"}), "data.tokens"),
    ("with a negative cost", event(data=DATA | {"cost": -1}), "data.cost"),
    ("with a status of its own", event(data=DATA | {"status": CANARY}), "data.status"),
    ("with a wrong member of a list", event(data=DATA | {"tools": [{"name": 1}]}), "data.tools"),
    ("with a NUL in a text", event(data={"call_id": "a\0b", "tokens": 1}), "NUL"),
]


@pytest.mark.parametrize(
    ("envelope",), [(found,) for _, found in ADMITTED], ids=[n for n, _ in ADMITTED]
)
def test_an_event_that_fits_is_kept(client, intake, customer, envelope):
    assert post(client, envelope, STRUCTURED).status_code == 202
    assert [found["id"] for found in intake.events(customer)] == ["event-1"]
    assert not intake.letters(customer)


@pytest.mark.parametrize(
    ("envelope", "word"), [found[1:] for found in REFUSED], ids=[found[0] for found in REFUSED]
)
def test_an_event_that_does_not_fit_is_refused_with_the_reason_and_kept_as_a_letter(
    client, intake, customer, envelope, word
):
    answer = post(client, envelope, STRUCTURED)
    assert answer.status_code == 400
    assert word in answer.json()["error"]
    assert CANARY not in answer.text
    assert not intake.events(customer)
    [letter] = intake.letters(customer)
    assert letter.reason == answer.json()["error"]
    assert {k: v for k, v in letter.event.items() if v is not None} == {
        k: v for k, v in envelope.items() if v is not None
    }


@pytest.mark.parametrize(
    "content_type",
    [STRUCTURED, f"{STRUCTURED}; charset=utf-8", f"{STRUCTURED.upper()};charset=UTF-8"],
)
def test_the_structured_mode_takes_any_parameter(client, content_type):
    assert post(client, event(), content_type).status_code == 202


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_the_binary_mode_takes_attributes_from_headers(client, intake, customer, content_type):
    answer = binary(
        client,
        content_type=content_type,
        ce_time="2026-08-03T12:15:04.112+02:00",
        ce_subject="ticketdesk/get_ticket",
    )
    assert (answer.status_code, answer.content) == (202, b"")
    assert intake.events(customer) == [
        {
            "id": "event-1",
            "source": "//gateway.example.com/eu-1",
            "type": CALL,
            "subject": "ticketdesk/get_ticket",
            "time": "2026-08-03T10:15:04.112000Z",
            "data": DATA,
        }
    ]


def test_names_of_headers_may_be_in_upper_case(client, intake, customer):
    headers = [("CE-SPECVERSION", "1.0"), ("Ce-Id", "x"), ("CE-SOURCE", "/a"), ("CE-TYPE", CALL)]
    assert post(client, DATA, "application/json", headers).status_code == 202
    assert intake.events(customer)[0]["id"] == "x"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (quote("Euro € 😀"), "Euro € 😀"),
        ('"quoted"', "quoted"),
        (r'"a \"b\" c"', 'a "b" c'),
        ("100%25", "100%"),
        ("%2525", "%25"),
        ("a%20b", "a b"),
    ],
)
def test_values_of_headers_are_decoded_once(client, intake, customer, written, meant):
    assert binary(client, ce_subject=written).status_code == 202
    assert intake.events(customer)[0]["subject"] == meant


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"ce_id": None}, "id"),
        ({"ce_id": ""}, "id"),
        ({"ce_type": None}, "type"),
        ({"ce_specversion": "0.3"}, "specversion"),
        ({"ce_specversion": None}, "specversion"),
        ({"ce_time": "yesterday"}, "time"),
        ({"ce_sampledrate": "2"}, "sampledrate"),
        ({"ce_subject": "a%0Ab"}, "subject"),
        ({"data": "no JSON at all"}, "data"),
        ({"content_type": "text/plain"}, "data"),
        ({"content_type": "application/octet-stream", "data": b"\xff\xfe"}, "data"),
    ],
)
def test_a_binary_event_that_does_not_fit_is_refused_and_kept_as_a_letter(
    client, intake, customer, changes, word
):
    answer = binary(client, **changes)
    assert answer.status_code == 400
    assert word in answer.json()["error"]
    assert not intake.events(customer)
    assert len(intake.letters(customer)) == 1


def test_a_header_that_comes_twice_is_refused(client):
    headers = [("ce-specversion", "1.0"), ("ce-id", "a"), ("ce-id", "b"), ("ce-source", "/a")]
    assert post(client, DATA, "application/json", headers).status_code == 400


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        ("", STRUCTURED, 400),
        ("{", STRUCTURED, 400),
        ("[]", STRUCTURED, 400),
        ("null", STRUCTURED, 400),
        ('{"id": "\\ud800"}', STRUCTURED, 400),
        ('{"id": NaN}', STRUCTURED, 400),
        ('{"id": ' + "1" * 5000 + "}", STRUCTURED, 400),
        ('{"id": 1e99999999999999999999}', STRUCTURED, 400),
        ("[" * 100_000, STRUCTURED, 400),
        (b'{"id": "\xff"}', STRUCTURED, 400),
        ("{}", BATCH, 400),
        ("{", BATCH, 400),
        ("{}", "application/json", 400),
        ("{}", "application/cloudevents+avro", 415),
        ("{}", "application/cloudevents", 415),
        ("[]", "application/cloudevents-batch+protobuf", 415),
    ],
)
def test_what_is_no_event_at_all_is_refused_in_one_line(
    client, intake, customer, content, content_type, status
):
    answer = post(client, content, content_type)
    assert answer.status_code == status
    assert "\n" not in answer.json()["error"]
    assert not intake.events(customer)
    assert not intake.letters(customer)


@pytest.mark.parametrize("member", ["anything", "prompt", "call_id"])
@pytest.mark.parametrize("depth", [300, 900])
def test_an_event_that_is_nested_too_deeply_is_refused(client, intake, customer, member, depth):
    text = json.dumps(event(data=DATA | {member: "nested"}))
    answer = post(client, text.replace('"nested"', "[" * depth + "]" * depth), STRUCTURED)
    assert answer.status_code == 400
    assert not intake.events(customer)


def test_a_batch_with_a_bad_event_keeps_the_good_ones_and_says_which_is_bad(
    client, intake, customer
):
    bad = event(2, data={"call_id": "c"})
    answer = post(client, [event(1), bad, event(3), "no event", without("id")], BATCH)
    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 2,
        "refused": [
            {"index": 1, "id": "event-2", "reason": "data: tokens is missing"},
            {"index": 3, "id": None, "reason": "the item is no JSON object with an event"},
            {"index": 4, "id": None, "reason": "attribute id is missing"},
        ],
    }
    assert [found["id"] for found in intake.events(customer)] == ["event-1", "event-3"]
    assert [letter.event for letter in intake.letters(customer)] == [bad, without("id")]


def test_a_batch_of_bad_events_is_refused_and_kept_as_letters(client, intake, customer):
    answer = post(client, [event(n, data=[]) for n in range(3)], BATCH)
    assert answer.status_code == 400
    assert (answer.json()["accepted"], len(answer.json()["refused"])) == (0, 3)
    assert len(intake.letters(customer)) == 3


def test_an_empty_batch_is_fine(client, intake, customer):
    answer = post(client, [], BATCH)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 0, "refused": []})
    assert not intake.entries(customer)


def test_an_event_sent_again_is_kept_again_for_the_marts_to_count_once(client, intake, customer):
    for _ in range(2):
        assert post(client, event(), STRUCTURED).status_code == 202
    assert len(intake.events(customer)) == 2


def test_a_bad_event_sent_again_is_one_letter(client, intake, customer):
    for _ in range(2):
        assert post(client, event(data=[]), STRUCTURED).status_code == 400
    assert len(intake.letters(customer)) == 1


def test_amounts_keep_every_digit(client, intake, customer):
    text = json.dumps(event(data=DATA | {"cost": 1})).replace(
        '"cost": 1', '"cost": 0.100000000000000000001'
    )
    assert post(client, text, STRUCTURED).status_code == 202
    [entry] = intake.entries(customer)
    assert b'"cost":0.100000000000000000001,' in entry.body


def test_only_what_the_schema_names_is_kept_and_people_are_pseudonyms(client, intake, customer):
    data = DATA | {
        "user": "Dana@Example.com",
        "prompt": f"{CANARY} one",
        "secret": CANARY,
        "tools": [{"name": "get_ticket", "arguments": {"q": CANARY}}],
        "anything": {"inner": CANARY},
    }
    assert post(client, event(data=data, ext=CANARY), STRUCTURED).status_code == 202
    [entry] = intake.entries(customer)
    assert CANARY.encode() not in entry.body
    [kept] = intake.events(customer)
    printed = intake.mindweave("pseudonym", "dana@example.com", "--customer", customer).stdout
    assert kept["data"] == DATA | {
        "user": printed.split()[0],
        "prompt": kept["data"]["prompt"],
        "tools": [{"name": "get_ticket"}],
        "anything": {},
    }
    assert len(kept["data"]["prompt"]) == 64


def test_the_handshake_agrees_with_the_origin_and_no_more_than_our_rate(client):
    answer = client.options(
        "/events",
        headers={"WebHook-Request-Origin": "gateway.example.com", "WebHook-Request-Rate": "120"},
    )
    assert answer.status_code == 200
    assert answer.headers["webhook-allowed-origin"] == "gateway.example.com"
    assert answer.headers["webhook-allowed-rate"] == "120"
    assert "POST" in answer.headers["allow"]
    answer = client.options(
        "/events",
        headers={"WebHook-Request-Origin": "gateway.example.com", "WebHook-Request-Rate": "999999"},
    )
    assert answer.headers["webhook-allowed-rate"] == "60000"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"WebHook-Request-Origin": ""},
        {"WebHook-Request-Origin": "a.example.com", "WebHook-Request-Rate": "0"},
        {"WebHook-Request-Origin": "a.example.com", "WebHook-Request-Rate": "many"},
    ],
)
def test_a_handshake_that_lacks_something_gets_no_consent(client, headers):
    answer = client.options("/events", headers=headers)
    assert answer.status_code == 400
    assert "webhook-allowed-origin" not in answer.headers


def test_nothing_that_was_sent_is_in_an_answer_or_the_servers_log(intake):
    bodies = [
        CANARY,
        json.dumps({CANARY: 1}),
        json.dumps(event(data=CANARY, ext=CANARY)),
        json.dumps(event(**{CANARY: CANARY})),
        json.dumps(event(data=DATA | {"tools": [{"name": {CANARY: CANARY}}]})),
    ]
    with intake.client("canary") as client:
        for body in bodies:
            for content_type in (STRUCTURED, BATCH, "application/json", CANARY):
                answer = post(client, body, content_type, [("ce-" + CANARY, CANARY)])
                assert answer.status_code in (400, 415)
                assert CANARY not in answer.text
    assert CANARY not in intake.log.read_text()
    assert len(intake.log.read_text().splitlines()) == 1
