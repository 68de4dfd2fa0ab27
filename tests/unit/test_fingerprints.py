"""What is equal, what is alike and how much, and what a fingerprint may tell."""

import json
import random
import string
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_pipelines import fingerprints
from dlt_pipelines.config import FingerprintSettings
from dlt_pipelines.fingerprints import FINGERPRINT_SCHEMA, Fingerprinter
from dlt_pipelines.privacy import CustomerKey

KEY = CustomerKey(b"k" * 32)
WEEK = "List every open incident of the payments team for this week"
MONTH = "List every open incident of the payments team for this month"
VOCABULARY = [f"{first}{second}" for first in string.ascii_lowercase for second in "aeiou"]


def prompts(*texts, key=KEY, **chosen):
    """Return the fingerprint of each prompt as a dict."""
    made = Fingerprinter(key, FingerprintSettings(**chosen)).prompts(pa.array(texts, pa.string()))
    return made.to_pylist()


def prompt(text, **chosen):
    """Return the fingerprint of one prompt."""
    return prompts(text, **chosen)[0]


def tool_input(text, name="mcp__tickets__search", key=KEY):
    """Return the fingerprint of one tool call."""
    fingerprinter = Fingerprinter(key, FingerprintSettings())
    names, inputs = pa.array([name], pa.string()), pa.array([text], pa.string())
    return fingerprinter.tool_inputs(names, inputs).to_pylist()[0]


def hashes(row):
    """Return the kept shingles of a fingerprint, in their order."""
    sketch = row["sketch"]
    return [int(sketch[at : at + 16], 16) for at in range(0, len(sketch), 16)]


def similarity(left, right):
    """Return the Jaccard similarity of two fingerprints, as detection takes it from sketches."""
    size = left["sketch_size"]
    a, b = set(hashes(left)), set(hashes(right))
    if max(left["shingle_count"], right["shingle_count"]) <= size:
        return len(a & b) / len(a | b)
    smallest = sorted(a | b)[:size]
    return len(a & b & set(smallest)) / len(smallest)


def jaccard(left, right):
    """Return the true similarity of two lists of words."""
    a, b = ({tuple(w[at : at + 3]) for at in range(max(len(w) - 2, 1))} for w in (left, right))
    return len(a & b) / len(a | b)


@pytest.mark.parametrize(
    "copy",
    [
        WEEK.upper(),
        WEEK.replace(" ", "  \n\t"),
        f"  {WEEK}!?  ",
        WEEK.replace(" ", ", "),
        WEEK.replace("i", "\N{FULLWIDTH LATIN SMALL LETTER I}"),  # noqa: RUF001
        WEEK.replace("the", "th\N{ZERO WIDTH JOINER}e"),
    ],
)
def test_case_white_space_punctuation_and_ways_to_write_a_letter_make_no_difference(copy):
    assert prompt(copy) == prompt(WEEK)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("stra\u00dfe", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("\u03bb\u03cc\u03b3\u03bf\u03c2", "\u039b\u038c\u0393\u039f\u03a3"),
        ("\ufb01nd", "FIND"),
        ("\u65e5\u672c \u8a9e", "\u65e5\u672c\u8a9e"),
        ("\u0e44\u0e17\u0e22", "\u0e44 \u0e17 \u0e22"),
        ("ok\U0001f44d", "OK \U0001f44d"),
        ("\u2764", "\u2764\ufe0f"),
    ],
)
def test_what_reads_the_same_in_any_script_is_the_same(left, right):
    assert prompt(left) == prompt(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("a b", "b a"),
        ("ab", "a b"),
        ("one two three", "one two three four"),
        ("a b c", "a a b c"),
        ("\U0001f44d", "\U0001f44e"),
        ("resume", "r\u00e9sum\u00e9"),
    ],
)
def test_other_words_or_another_order_are_another_prompt(left, right):
    assert prompt(left)["dedup_hash"] != prompt(right)["dedup_hash"]
    assert hashes(prompt(left)) != hashes(prompt(right))


def test_one_word_of_eleven_at_the_end_leaves_exactly_four_fifths():
    assert similarity(prompt(WEEK), prompt(MONTH)) == 0.8
    assert similarity(prompt(WEEK), prompt("Write a poem about the sea")) == 0


def test_a_dedup_hash_is_the_keyed_fingerprint_of_the_normal_words():
    expected = KEY.fingerprint("prompt", "t\u00e9l\u00e9phone \u65e5 \u672c 3")

    assert prompt("  T\u00c9l\u00e9phone: \u65e5\u672c-3.")["dedup_hash"] == expected


words = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=258)


@settings(deadline=None)
@given(words, words, st.data())
def test_up_to_256_shingles_similarity_is_exactly_that_of_the_words(left, right, data):
    # part of one in the other, so that they share something
    begin, end = sorted(data.draw(st.integers(0, len(left))) for _ in range(2))
    right = (left[begin:end] + right)[:258]

    assert similarity(*prompts(" ".join(left), " ".join(right))) == jaccard(left, right)


def test_beyond_256_shingles_19_of_20_estimates_are_within_a_tenth():
    chance = random.Random(7)  # noqa: S311
    pairs = []
    for _ in range(200):
        left = chance.choices(VOCABULARY, k=chance.randint(300, 3000))
        rate = chance.random() * 0.3
        right = [chance.choice(VOCABULARY) if chance.random() < rate else word for word in left]
        pairs.append((left, right))

    made = prompts(*(" ".join(text) for pair in pairs for text in pair))
    errors = [
        similarity(*found) - jaccard(*pair)
        for found, pair in zip(zip(made[::2], made[1::2], strict=True), pairs, strict=True)
    ]

    assert sum(abs(error) <= 0.1 for error in errors) >= 0.95 * len(errors)
    assert abs(sum(errors) / len(errors)) < 0.01


def test_two_customers_share_no_fingerprint_and_no_shingle():
    texts = [WEEK, MONTH, "yes", "go on", "\U0001f44d", " ".join(VOCABULARY)]
    ours, theirs = prompts(*texts), prompts(*texts, key=CustomerKey(b"o" * 32))
    tools = [tool_input("{}", key=key) for key in (KEY, CustomerKey(b"o" * 32))]

    for left, right in [*zip(ours, theirs, strict=True), tools]:
        assert left["dedup_hash"] != right["dedup_hash"]
    shingles = [
        {shingle for row in rows for shingle in hashes(row)}
        for rows in ([*ours, tools[0]], [*theirs, tools[1]])
    ]
    assert not shingles[0] & shingles[1]


def test_nothing_of_the_content_is_in_a_fingerprint():
    row = prompt("canary zebra quokka narwhal")

    assert set(row) == set(FINGERPRINT_SCHEMA.names)
    assert row["normalization"] == "1"
    assert len(row["dedup_hash"]) == 64
    for text in (row["dedup_hash"], row["sketch"]):
        assert set(text) <= set(string.hexdigits.lower())


def test_a_sketch_is_the_smallest_of_the_distinct_shingles_in_order():
    text = " ".join(random.Random(1).choices(VOCABULARY, k=400))  # noqa: S311
    whole = prompt(text, sketch_size=4096)
    kept = hashes(whole)

    assert whole["shingle_count"] == len(kept) == len(set(kept))
    assert kept == sorted(kept)
    assert all(0 <= number < 2**63 for number in kept)
    for size in (16, 256):
        assert hashes(prompt(text, sketch_size=size)) == kept[:size]
        assert prompt(text, sketch_size=size)["shingle_count"] == len(kept)


def test_a_shingle_that_comes_again_counts_once():
    assert prompt("again " * 50)["shingle_count"] == 1


@pytest.mark.parametrize("text", ["", " ", "\n", "?!", "\u200d", "\x00\x07"])
def test_where_nothing_is_left_there_is_no_hash(text):
    row = prompt(text)

    assert (row["dedup_hash"], row["shingle_count"], row["sketch"]) == (None, 0, "")


def test_rows_keep_their_places_and_a_null_stays_null():
    texts = [None, WEEK, "", None, "one", "two words", WEEK, "\U0001f44d\U0001f44e"]
    rows = prompts(*texts)

    assert [row["shingle_count"] for row in rows] == [None, 9, 0, None, 1, 1, 9, 1]
    assert rows[0] == dict.fromkeys(FINGERPRINT_SCHEMA.names)
    assert [rows[at] for at in (1, 4, 7)] == [prompt(texts[at]) for at in (1, 4, 7)]
    assert prompts() == []


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), max_size=12))
def test_a_prompt_has_the_same_fingerprint_in_whatever_company(texts):
    assert prompts(*texts) == [prompt(text) for text in texts]


def test_in_small_chunks_comes_out_what_does_in_one(monkeypatch):
    texts = [" ".join(VOCABULARY[: at % 90]) for at in range(200)]
    whole = prompts(*texts)
    monkeypatch.setattr(fingerprints, "CHUNK_DOCUMENTS", 7)
    monkeypatch.setattr(fingerprints, "CHUNK_BYTES", 300)

    assert prompts(*texts) == whole


@pytest.mark.parametrize(
    "text",
    [
        "word " * 1_000_000,
        "x" * 5_000_000,
        "\U0001f44d" * 1_250_000,
        random.Random(3).randbytes(1_000_000),  # noqa: S311
    ],
    ids=["words", "one word", "emoji", "binary"],
)
def test_megabytes_of_anything_have_a_fingerprint(text):
    contents = pa.array([text, b"one"] if isinstance(text, bytes) else [text, "one"])
    big, small = Fingerprinter(KEY, FingerprintSettings()).prompts(contents).to_pylist()

    assert len(big["dedup_hash"]) == 64
    assert len(big["sketch"]) == 16 * min(big["shingle_count"], 256)
    assert small == prompt("one")


@pytest.mark.parametrize("text", ["a.", "a-", "/", "1:", "1.", "0a", "\\", "-0123456789abcdef"])
def test_no_text_takes_the_patterns_of_what_is_volatile_long(text):
    began = time.process_time()
    prompt(text * (1_000_000 // len(text)), leave_out_volatile=True)

    # one that goes back over what it read takes hours
    assert time.process_time() - began < 20


class TestVolatile:
    @pytest.mark.parametrize(
        ("left", "right"),
        [
            (
                "see 550e8400-e29b-41d4-a716-446655440000 now",
                "see 123E4567-E89B-12D3-A456-426614174000 now",
            ),
            ("commit 9fceb02d0ae5", "commit 0xDEADBEEF01"),
            ("at 2025-10-03T10:15:02.114Z", "at 2026-01-01"),
            ("at 10:15", "at 23:59:59"),
            ("open /etc/hosts", "open ~/notes.txt"),
            ("open C:\\temp\\a.txt", "open ./b/c"),
            ("get https://a.example/x?y=1", "get https://b.example/"),
            ("ticket T-1042 costs 3.50", "ticket T-7 costs 1,000"),
            ("\u7b2c5\u7ae0", "\u7b2c12\u7ae0"),
        ],
    )
    def test_with_the_switch_it_is_one_word_of_its_kind_and_without_it_counts(self, left, right):
        assert prompt(left, leave_out_volatile=True) == prompt(right, leave_out_volatile=True)
        assert prompt(left)["dedup_hash"] != prompt(right)["dedup_hash"]

    @pytest.mark.parametrize(
        ("left", "right"),
        [
            ("either and/or both", "either and both"),
            ("sha256 of it", "sha512 of it"),
            ("was effaced", "was defaced"),
            ("at 10:15", "at 7"),
        ],
    )
    def test_words_stay_words_and_kinds_are_kept_apart(self, left, right):
        rows = prompts(left, right, leave_out_volatile=True)
        assert rows[0]["dedup_hash"] != rows[1]["dedup_hash"]

    def test_what_was_normalised_in_two_ways_is_never_taken_for_equal(self):
        assert prompt(WEEK, leave_out_volatile=True)["normalization"] == "1-volatile"
        assert prompt(WEEK, leave_out_volatile=True)["dedup_hash"] != prompt(WEEK)["dedup_hash"]

    def test_inputs_of_tools_keep_their_ids(self):
        fingerprinter = Fingerprinter(KEY, FingerprintSettings(leave_out_volatile=True))
        names = pa.array(["mcp__tickets__search"])

        made = fingerprinter.tool_inputs(names, pa.array(['{"id": 1}'])).to_pylist()
        assert made == [tool_input('{"id": 1}')]


class TestToolInputs:
    def test_the_order_of_keys_and_white_space_make_no_difference(self):
        left = '{"query": "refund", "page": {"size": 10, "at": [1, 2.50]}}'
        right = '{"page":{"at":[1,2.50],\n"size":10},  "query":"ref\\u0075nd"}'

        assert tool_input(left) == tool_input(right)

    @pytest.mark.parametrize(
        ("left", "right"),
        [
            ('{"q": "Refund"}', '{"q": "refund"}'),
            ('{"q": [1, 2]}', '{"q": [2, 1]}'),
            ('{"q": 1}', '{"q": "1"}'),
            ('{"q": 9007199254740993}', '{"q": 9007199254740992}'),
            ('{"q": 0.1}', '{"q": 0.10000000000000000001}'),
            ('{"q": 1e400}', '{"q": 1e401}'),
            ("{}", "[]"),
            ("no JSON", "no json"),
        ],
    )
    def test_another_value_is_another_call(self, left, right):
        assert tool_input(left)["dedup_hash"] != tool_input(right)["dedup_hash"]

    def test_the_same_input_to_another_tool_or_server_is_another_call(self):
        names = ("mcp__a__b", "mcp__a__c", "mcp__b__b", "mcp__a_b__b", "a__b", "")
        assert len({tool_input("{}", name)["dedup_hash"] for name in names}) == len(names)

    def test_shingles_are_of_server_tool_and_input(self):
        row = tool_input('{"id": "T-1042", "fields": ["status"]}')

        assert hashes(row) == hashes(prompt("tickets search fields status id T 1042"))

    def test_no_input_is_the_null_of_json_and_no_name_no_fingerprint(self):
        assert tool_input(None) == tool_input(" null ")
        assert tool_input("{}", None) == dict.fromkeys(FINGERPRINT_SCHEMA.names)

    @pytest.mark.parametrize(
        "text",
        ["", "{", "[" * 100_000, '{"a": NaN}', '"\\ud83d"', "9" * 10_000, "\x00"],
        ids=["empty", "cut", "deep", "no number", "half a character", "huge", "control"],
    )
    def test_what_is_no_json_is_taken_as_it_is(self, text):
        assert len(tool_input(text)["dedup_hash"]) == 64
        assert tool_input(text) == tool_input(text)
        assert tool_input(text)["dedup_hash"] != tool_input(text + " x")["dedup_hash"]

    @settings(deadline=None)
    @given(st.recursive(st.integers() | st.text() | st.booleans() | st.none(), st.lists))
    def test_json_written_in_two_ways_is_the_same_input(self, value):
        text = {"b": value, "a": {"d": value, "c": 1}}
        left = json.dumps(text, sort_keys=True, ensure_ascii=False)
        right = json.dumps(text, indent=2)

        assert tool_input(left) == tool_input(right)
