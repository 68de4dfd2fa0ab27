"""Whatever comes in: no answer of the 5xx, no stack trace, no content in an answer or a log."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.intake import BATCH, CALL, CANARY, STRUCTURED, event, serving

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
QUIET = settings(
    deadline=None,
    max_examples=80,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
TEXTS = st.one_of(st.text(max_size=20), st.just(CANARY), st.just(""), st.just("\x00"))
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=2**62, max_value=2**80),
        st.floats(),
        TEXTS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["id", "source", "type", "specversion", "time", "subject", "data", "data_base64",
     "datacontenttype", "dataschema", "sampledrate", "ext"]
)  # fmt: skip
MEMBERS = st.sampled_from(["call_id", "tokens", "cost", "user", "prompt", "tools", "status"])
ENVELOPES = st.builds(
    lambda changes, data: event() | ({"data": event()["data"] | data} if data else {}) | changes,
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.dictionaries(MEMBERS, VALUES, max_size=4),
)
TYPES = st.sampled_from(
    [STRUCTURED, BATCH, "application/json", "application/x-protobuf", "text/plain", "", CANARY]
)


@pytest.fixture(scope="module")
def intake(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("intake"), "--rate", 100_000) as found:
        yield found
        written = found.log.read_text()
        assert CANARY not in written
        assert "Traceback" not in written
        # the line that says where it serves, and no other
        assert len(written.splitlines()) == 1, written


@pytest.fixture(scope="module")
def client(intake):
    with intake.client() as found:
        yield found


def judged(answer):
    """Return the status, once the answer is seen to be one that may be given."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.json()) in ({"error"}, {"accepted", "refused"})
        assert "\n" not in answer.text
        assert "Traceback" not in answer.text
        if "error" in answer.json():
            assert CANARY not in answer.text
    return answer.status_code


def test_any_envelope_is_answered(client):
    seen: Counter[int] = Counter()

    @QUIET
    @given(ENVELOPES)
    def check(envelope):
        body = json.dumps(envelope)
        headers = {"Content-Type": STRUCTURED}
        seen[judged(client.post("/events", content=body, headers=headers))] += 1

    check()
    assert set(seen) == {202, 400}


def test_any_batch_is_answered_event_by_event(client):
    @QUIET
    @given(st.lists(st.one_of(ENVELOPES, VALUES), max_size=6))
    def check(items):
        body = json.dumps(items)
        answer = client.post("/events", content=body, headers={"Content-Type": BATCH})
        judged(answer)
        if "accepted" in answer.json():
            assert answer.json()["accepted"] + len(answer.json()["refused"]) == len(items)

    check()


def test_any_headers_are_answered(client):
    # what HTTP itself allows in a header
    printable = st.text(
        st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"),
        max_size=20,
    )

    @QUIET
    @given(st.dictionaries(NAMES, printable, max_size=8), st.binary(max_size=40), st.booleans())
    def check(attributes, body, is_whole):
        whole = {"specversion": "1.0", "id": "1", "source": "/a", "type": CALL} if is_whole else {}
        headers = [
            (f"ce-{name}".encode(), value.encode("latin-1"))
            for name, value in (whole | attributes).items()
        ]
        judged(client.post("/events", content=body, headers=headers))

    check()


@pytest.mark.parametrize("path", ["/events", "/v1/logs", "/v1/traces", "/v1/metrics"])
def test_any_bytes_are_answered(client, path):
    @QUIET
    @given(
        st.one_of(st.binary(max_size=200), VALUES.map(lambda value: json.dumps(value).encode())),
        TYPES,
        st.sampled_from(["gzip", "identity", "br", CANARY]),
    )
    def check(body, content_type, encoding):
        headers = {"Content-Type": content_type, "Content-Encoding": encoding}
        judged(client.post(path, content=body, headers=headers))

    check()


def test_what_the_document_says_is_what_is_answered(intake, tmp_path):
    checks = (
        "not_a_server_error,status_code_conformance,content_type_conformance,"
        "response_headers_conformance,response_schema_conformance,ignored_auth"
    )
    done = subprocess.run(
        [
            *(SCHEMATHESIS, "run", f"{intake.address}/openapi.json", "--checks", checks),
            *(
                "--header",
                f"Authorization: Bearer {intake.token()}",
                "--phases",
                "fuzzing,coverage",
            ),
            *("--max-examples", "20", "--seed", "1", "--generation-database", "none"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
