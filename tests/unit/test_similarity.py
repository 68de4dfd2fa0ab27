"""How surely fingerprints tell the same work from other work.

`tests/bench/bench_similarity.py` prints the whole tables and draws the curves.
"""

import json
from collections import Counter, defaultdict
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from dlt_pipelines.config import FingerprintSettings
from dlt_pipelines.fingerprints import Fingerprinter
from dlt_pipelines.privacy import CustomerKey
from tests.bench.bench_similarity import (
    KEY,
    SURE,
    fingerprints,
    joined,
    measure,
    quality,
    share,
    tables,
)
from tests.labelled_requests import levels, seeded
from tests.plain_similarity import Fingerprint, jaccard, shingles, tool_text, words
from tests.transcripts import REPOSITORY

REAL = REPOSITORY.parent / "shared" / "real"
SETTINGS = FingerprintSettings()
VOLATILE = FingerprintSettings(leave_out_volatile=True)
SIZE = SETTINGS.sketch_size


@pytest.fixture(scope="module")
def every_level():
    return levels()


@pytest.fixture(scope="module")
def found(every_level):
    requests = [request for level in every_level for request in level.left + level.right]
    return fingerprints(requests, SETTINGS)


@pytest.fixture(scope="module")
def measured(every_level, found):
    return {level.name: level for level in measure(every_level, found)}


@pytest.fixture(scope="module")
def measured_volatile(every_level):
    requests = [request for level in every_level for request in level.left + level.right]
    return {level.name: level for level in measure(every_level, fingerprints(requests, VOLATILE))}


def related_pairs(every_level):
    return [(a, b) for level in every_level for a, b, related in level.pairs() if related]


def true_shingles(request):
    is_tool = bool(request.tool)
    return shingles(tool_text(request.tool, request.content) if is_tool else request.content)


def test_the_set_is_large_enough_for_percentages(every_level, measured):
    assert len(measured) == len(every_level)
    assert len({request.language for request in every_level[0].left}) == 10
    assert min(len(level.related) for level in measured.values()) >= 80
    assert sum(len(level.related) >= 200 for level in measured.values()) >= 8
    longer = [r for r in every_level[0].left if len(true_shingles(r)) > SIZE]
    assert len(longer) >= 16


@pytest.mark.parametrize("name", SURE)
def test_what_only_looks_different_is_the_same_fingerprint(every_level, found, measured, name):
    [level] = [level for level in every_level if level.name == name]

    for one, other, related in level.pairs():
        assert (found[one].dedup_hash == found[other].dedup_hash) is related
    assert quality(measured[name].same, measured[name].different, 1.0) == (1.0, 1.0)


def test_one_word_in_twenty_is_found_at_a_threshold_of_six_tenths(every_level, measured):
    [level] = [level for level in every_level if level.name == "one word in twenty"]
    assert all(len(words(request.content)) >= 20 for request in level.left)
    changed = [one for one, other, related in level.pairs() if related and one != other]
    assert len(changed) == len(measured[level.name].related)

    reached = quality(measured[level.name].same, measured[level.name].different, 0.6)

    assert reached.recall >= 0.9
    assert reached.precision >= 0.95


def test_one_word_in_ten_leaves_about_half_of_the_shingles(measured):
    similarities = measured["one word in ten"].related

    assert 0.45 < float(np.median(similarities)) < 0.6
    assert share(similarities, 0.6) < 0.2


@pytest.mark.parametrize("name", ["rewrite", "translation"])
def test_the_same_work_in_other_words_is_not_seen(measured, name):
    assert share(measured[name].related, 0.5) == 0


def test_work_that_shares_no_words_is_never_taken_for_the_same(measured):
    unrelated = joined(level.unrelated for level in measured.values())

    assert len(unrelated) > 100_000
    assert share(unrelated, 0.3) == 0


def test_ids_times_paths_and_numbers_make_no_difference_where_they_are_left_out(
    every_level, measured, measured_volatile
):
    name = "other ids in passing"

    assert share(measured[name].related, 1.0) < 0.05
    assert share(measured_volatile[name].related, 1.0) == 1
    # another value in a tool call asks for something else, whatever the switch says
    of_tools = "another value in a tool call"
    assert (measured_volatile[of_tools].related == measured[of_tools].related).all()


def test_a_tool_call_is_the_same_only_with_every_sign_of_its_input():
    inputs = ['{"a": 5}', '{"a": -5}', '{"a": "5"}', '{"a": "X"}', '{"a": "x"}']
    names = ["mcp__s__t"] * len(inputs)

    made = Fingerprinter(KEY, SETTINGS).tool_inputs(pa.array(names), pa.array(inputs))

    assert len(set(made["dedup_hash"].to_pylist())) == len(inputs)
    # what words are is another question
    assert len(set(made["sketch"].to_pylist()[:3])) == 1


def test_similarity_is_the_true_jaccard_up_to_what_a_sketch_holds(every_level, found):
    chance = seeded("any two")
    bases = every_level[0].left
    pairs = [*related_pairs(every_level), *(chance.sample(bases, 2) for _ in range(500))]
    truth = {request: true_shingles(request) for pair in pairs for request in pair}
    exact = [pair for pair in pairs if max(len(truth[request]) for request in pair) <= SIZE]
    assert len(exact) > 3000

    for one, other in exact:
        if bool(one.tool) == bool(other.tool):
            true = jaccard(truth[one], truth[other])
            assert found[one].similarity(found[other]) == true, (one, other)
    assert all(found[r].shingle_count == len(truth[r]) for r in truth)


def overlapping(count):
    """Return pairs of long texts that share from nothing to all of their middle."""
    chance = seeded("overlapping")
    vocabulary = [f"word{n}" for n in range(5000)]
    for _ in range(count):
        length = chance.choice((300, 500, 1000))
        common = chance.choices(vocabulary, k=int(length * chance.random()))
        yield tuple(
            " ".join([*common, *chance.choices(vocabulary, k=length - len(common))])
            for _ in range(2)
        )


def test_similarity_is_within_a_tenth_of_the_truth_for_longer_texts(every_level, found):
    pairs = [
        (one.content, other.content, found[one].similarity(found[other]))
        for one, other in related_pairs(every_level)
        if max(found[one].shingle_count, found[other].shingle_count) > SIZE
    ]
    made = list(overlapping(200))
    rows = Fingerprinter(KEY, SETTINGS).prompts(pa.array([text for pair in made for text in pair]))
    of_made = [Fingerprint.of(row) for row in rows.to_pylist()]
    for (one, other), left, right in zip(made, of_made[::2], of_made[1::2], strict=True):
        pairs.append((one, other, left.similarity(right)))
    errors = np.array(
        [similarity - jaccard(shingles(one), shingles(other)) for one, other, similarity in pairs]
    )

    assert len(errors) > 400
    assert np.mean(abs(errors) <= 0.1) >= 0.95
    assert abs(np.mean(errors)) < 0.005  # it is not off to one side


def test_two_customers_share_no_fingerprint_and_no_shingle(every_level):
    bases = every_level[0].left
    texts = pa.array([request.content for request in bases if not request.tool])
    keys = (KEY, CustomerKey(b"another customer, another secret"))
    ours, theirs = (
        [Fingerprint.of(row) for row in Fingerprinter(key, SETTINGS).prompts(texts).to_pylist()]
        for key in keys
    )

    assert not {f.dedup_hash for f in ours} & {f.dedup_hash for f in theirs}
    assert not frozenset().union(*(f.hashes for f in ours)) & frozenset().union(
        *(f.hashes for f in theirs)
    )
    # and the key is all that differs
    for one, other in zip(ours, theirs, strict=True):
        assert one.shingle_count == other.shingle_count


def test_the_guide_says_what_is_measured(measured, measured_volatile):
    lines = tables(list(measured.values()), list(measured_volatile.values()))
    rows = "\n".join(lines).splitlines()
    guide = (REPOSITORY / "docs" / "hivemind.md").read_text("utf-8").splitlines()

    def name(row):
        return row.split("|")[1]

    names = {name(row) for row in rows if row}
    said = [line for line in guide if line.startswith("| ") and name(line) in names]
    assert len(said) > len(names)
    for line in said:
        assert line in rows


@pytest.mark.skipif(not REAL.exists(), reason="no real data beside this clone")
def test_exact_duplicates_of_real_tool_calls_are_those_that_counting_finds():
    names, inputs, truth = [], [], []
    for line in (REAL / "tau_bench_gpt4o_airline.jsonl").read_text("utf-8").splitlines():
        for message in json.loads(line)["messages"]:
            for call in message.get("tool_calls") or []:
                name, text = call["function"]["name"], call["function"]["arguments"]
                names.append(f"mcp__airline__{name}")
                inputs.append(text)
                truth.append((name, json.dumps(json.loads(text), sort_keys=True)))
    assert (len(truth), len(set(truth))) == (1164, 568)

    made = Fingerprinter(KEY, SETTINGS).tool_inputs(pa.array(names), pa.array(inputs))

    hashes = made["dedup_hash"].to_pylist()
    assert len(set(zip(truth, hashes, strict=True))) == len(set(truth)) == len(set(hashes))


@pytest.mark.skipif(not REAL.exists(), reason="no real data beside this clone")
def test_real_prompts_of_equal_blocks_are_equal_and_near_ones_as_near_as_their_blocks():
    lines = (REAL / "mooncake_conversation.jsonl").read_text("utf-8").splitlines()
    blocks = [tuple(json.loads(line)["hash_ids"]) for line in lines]
    texts = [" ".join(f"block{number}" for number in numbers) for numbers in blocks]

    rows = Fingerprinter(KEY, SETTINGS).prompts(pa.array(texts)).to_pylist()

    hashes = [row["dedup_hash"] for row in rows]
    assert len(set(zip(blocks, hashes, strict=True))) == len(set(blocks)) == len(set(hashes))
    assert sorted(Counter(hashes).values()) == sorted(Counter(blocks).values())
    distinct = dict(zip(texts, map(Fingerprint.of, rows), strict=True))
    truth, found = [shingles(text) for text in distinct], list(distinct.values())
    near = near_pairs(truth, 0.6)
    assert len(near) > 6000
    assert near_pairs([fingerprint.hashes for fingerprint in found], 0.6) == near
    for one, other in near:
        assert found[one].similarity(found[other]) == jaccard(truth[one], truth[other])


def near_pairs(sets, threshold):
    """Return the pairs of positions at which two sets are at least that similar."""
    holders = defaultdict(list)
    for position, members in enumerate(sets):
        for member in members:
            holders[member].append(position)
    common = Counter(pair for positions in holders.values() for pair in combinations(positions, 2))
    return {
        (one, other)
        for (one, other), count in common.items()
        if count / (len(sets[one]) + len(sets[other]) - count) >= threshold
    }
