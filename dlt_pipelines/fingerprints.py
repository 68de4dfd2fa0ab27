"""Fingerprints of what people and agents ask: enough to see the same work twice, never the words.

Of each content there is a ``dedup_hash``, equal where the normalised content is equal, and a
sketch: the smallest of its hashed shingles, three words each. As long as all shingles are kept, two
sketches give the exact Jaccard similarity; beyond, the smallest of the union are a fair sample of
it. Words are hashed under the customer's key, so no two customers share a hash, and nobody without
the key can test a guess.

Normalised: Unicode NFKC, case folded, white space and punctuation to one space. Letters, marks and
numbers build words; each character of a script without white space is a word, and so is a symbol
such as an emoji. What cannot be seen (variation selectors, joiners) is left out.
"""

import functools
import hmac
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dlt_pipelines import exact_json
from dlt_pipelines.config import FingerprintSettings
from dlt_pipelines.privacy import CustomerKey

FINGERPRINT_SCHEMA = pa.schema(
    {
        "dedup_hash": pa.string(),
        "normalization": pa.string(),
        "shingle_count": pa.int64(),
        "sketch_size": pa.int64(),
        "sketch": pa.string(),
    }
)

NORMALIZATION = "1"
NORMALIZATION_WITHOUT_VOLATILE = "1-volatile"

# what is in memory at once; a document's number fits 16 bits
CHUNK_DOCUMENTS = 16_384
CHUNK_BYTES = 2_000_000

SEPARATOR, LETTER, SINGLE, INVISIBLE = range(4)
KIND_OF_CATEGORY = {"L": LETTER, "M": LETTER, "N": LETTER, "So": SINGLE, "Cf": INVISIBLE}
HAN_PLANES = (0x20000, 0x3FFFF)  # behind them is nothing that builds words
# Han, Hiragana, Katakana, Thai, Lao, Myanmar and Khmer, first to last
SCRIPTS_WITHOUT_SPACES = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3038, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0x1AFF0, 0x1B16F),
    HAN_PLANES,
)
# how the character before is drawn; they are marks, and formatting is invisible as a category
VARIATION_SELECTORS = ((0x180B, 0x180D), (0xFE00, 0xFE0F), (0xE0000, 0xE0FFF))

Numbers = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]
Documents = npt.NDArray[np.uint16]

# A letter or number that shares its word with others, for what stands alone.
IN_WORD = "[^\\W_{}]".format("".join(f"{chr(a)}-{chr(b)}" for a, b in SCRIPTS_WITHOUT_SPACES))
# What changes from one asking to the next; a word of the kind stands for it. Possessive, so that
# no text takes long.
VOLATILE = re.compile(
    rf"""
    (?<!{IN_WORD}) (?:
        (?P<id>
            [0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}} (?!{IN_WORD})
            | (?:0x)? (?=[a-f]*+[0-9]) (?=[0-9]*+[a-f]) [0-9a-f]{{8,}}+ (?!{IN_WORD})
        )
        | (?P<time>
            [0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}
            (?:[t ][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.,][0-9]++)?)?
                (?:z|[+-][0-9]{{2}}:?[0-9]{{2}})?)? (?!{IN_WORD})
            | [0-9]{{1,2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.,][0-9]++)?)? (?!{IN_WORD})
        )
        | (?P<path>
            [a-z][a-z0-9+.-]{{1,20}}://\S++
            | [a-z]:[\\/][^\s"'<>|]*+
            | (?:~|\.\.?)?/[^\s"'<>|]++
        )
        | (?P<number> [0-9]++(?:[.,][0-9]++)*+ (?!{IN_WORD}) )
    )
    """,
    re.VERBOSE,
)


class Words(NamedTuple):
    """The words of several documents, one after the other."""

    text: bytes
    """Every word, and one space behind each."""
    offsets: Positions
    """Where each word begins in ``text``, and where the last one ends."""
    first: Positions
    """The first word of each document, and the number of all words."""


class Fingerprinter:
    """Fingerprints under one customer's key."""

    def __init__(self, key: CustomerKey, settings: FingerprintSettings) -> None:
        """Take the key, and how to normalise."""
        self._secret = key.secret
        self._settings = settings
        self._word_key = bytes.fromhex(key.fingerprint("shingle", "words"))
        secret_numbers = bytes.fromhex(key.fingerprint("shingle", "positions"))
        # odd, so that no bit of a word's hash is lost
        self._multipliers = np.frombuffer(secret_numbers, "<u8")[:3] | np.uint64(1)

    def prompts(self, texts: pa.Array) -> pa.Table:
        """Return the fingerprint of each prompt, as `FINGERPRINT_SCHEMA`.

        Where nothing is left after normalising, ``dedup_hash`` is null; of a null, all is.
        """
        kind, normalization, normal = "prompt", NORMALIZATION, normal_text
        if self._settings.leave_out_volatile:
            kind, normalization = "prompt-volatile", NORMALIZATION_WITHOUT_VOLATILE
            normal = normal_text_without_volatile

        def fingerprints(distinct: list[bytes]) -> pa.Table:
            words = split_words([normal(decoded(text)) for text in distinct])
            bounds = words.offsets[words.first].tolist()
            hashes = [
                # without its last space
                self._hash(kind, words.text[begin : end - 1]) if end > begin else None
                for begin, end in pairwise(bounds)
            ]
            return self._table(hashes, normalization, words)

        return by_chunk(binary(texts), fingerprints)

    def tool_inputs(self, names: pa.Array, inputs: pa.Array) -> pa.Table:
        """Return the fingerprint of each tool call, as `FINGERPRINT_SCHEMA`.

        ``names`` are like ``mcp__server__tool``, ``inputs`` JSON; what is no JSON is taken as it
        is, and null is JSON's null. Of a null name, all is null.
        """

        def fingerprints(distinct: list[bytes]) -> pa.Table:
            named = (decoded(text).partition("\x1f") for text in distinct)
            calls = [(*server_and_tool(name), canonical_json(text)) for name, _, text in named]
            hashes = [self._hash("tool_input", "\x1f".join(call).encode()) for call in calls]
            words = split_words([normal_text(" ".join(call)) for call in calls])
            return self._table(hashes, NORMALIZATION, words)

        texts = pc.fill_null(binary(inputs), b"null")
        named = pc.binary_join_element_wise(
            binary(names), texts, pa.scalar(b"\x1f", pa.large_binary())
        )
        return by_chunk(named, fingerprints)

    def _hash(self, kind: str, message: bytes) -> str:
        """Return what `CustomerKey.fingerprint` returns for the text of ``message``."""
        return hmac.digest(self._secret, kind.encode() + b"\x1f" + message, "sha256").hex()

    def _table(self, hashes: Sequence[str | None], normalization: str, words: Words) -> pa.Table:
        size = self._settings.sketch_size
        counts, sketches = sketched(*self._shingles(words), len(hashes), size)
        return pa.table(
            [
                pa.array(hashes, pa.string()),
                pa.repeat(normalization, len(hashes)),
                pa.array(counts),
                pa.repeat(pa.scalar(size, pa.int64()), len(hashes)),
                sketches,
            ],
            schema=FINGERPRINT_SCHEMA,
        )

    def _shingles(self, words: Words) -> tuple[Numbers, Documents]:
        """Return the hash of every three words in a row, 63 bits, and whose they are.

        Of a document with less than three words it is one of all its words.
        """
        total = int(words.first[-1])
        coded = pa.LargeBinaryArray.from_buffers(
            pa.large_binary(),
            total,
            [None, pa.py_buffer(words.offsets), pa.py_buffer(words.text)],
        ).dictionary_encode()
        hashes = np.frombuffer(
            b"".join(
                blake2b(word, digest_size=8, key=self._word_key).digest()
                for word in coded.dictionary.to_pylist()
            ),
            "<u8",
        )
        which = coded.indices.to_numpy()
        # a sum of products with secret numbers depends on the order of the words
        first, second, third = ((hashes * odd)[which] for odd in self._multipliers)
        numbers = np.arange(len(words.first) - 1, dtype=np.uint16)
        document = np.repeat(numbers, np.diff(words.first))
        has_second, has_third = (document[behind:] == document[:-behind] for behind in (1, 2))
        first[:-1] += np.where(has_second, second[1:], 0)
        first[:-2] += np.where(has_third, third[2:], 0)
        begins_shingle = np.zeros(len(which), bool)
        begins_shingle[:-2] = has_third
        begins_shingle[words.first[:-1][np.diff(words.first) > 0]] = True
        return mixed(first[begins_shingle]), document[begins_shingle]


def mixed(numbers: Numbers) -> Numbers:
    """Return 63 bits of each number, in which every bit of it counts (SplitMix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (numbers ^ (numbers >> np.uint64(31))) >> np.uint64(1)


def sketched(
    shingles: Numbers, document: Documents, documents: int, size: int
) -> tuple[Positions, pa.Array]:
    """Return how many distinct shingles each document has, and its sketch.

    A sketch is the ``size`` smallest, ascending, 16 hexadecimal digits each.
    """
    order = np.argsort(shingles)
    # a stable sort of 16 bits is a radix sort
    order = order[np.argsort(document[order], kind="stable")]
    shingles, document = shingles[order], document[order]
    is_new = np.ones(len(shingles), bool)
    is_new[1:] = (shingles[1:] != shingles[:-1]) | (document[1:] != document[:-1])
    shingles, document = shingles[is_new], document[is_new]
    counts = np.bincount(document, minlength=documents)
    begins = np.cumsum(counts) - counts
    is_kept = np.arange(len(shingles)) - begins[document] < size
    offsets = np.zeros(documents + 1, np.int32)
    np.cumsum(np.minimum(counts, size) * 16, out=offsets[1:])
    digits = hexadecimal()[shingles[is_kept].astype(">u8").view(">u2")]
    return counts, pa.StringArray.from_buffers(
        documents, pa.py_buffer(offsets), pa.py_buffer(digits)
    )


@functools.cache
def hexadecimal() -> npt.NDArray[np.uint32]:
    """Return the four digits of each number of 16 bits, as the bytes of one number."""
    return np.frombuffer(b"".join(b"%04x" % number for number in range(1 << 16)), np.uint32)


def split_words(texts: Sequence[str]) -> Words:
    """Split normal texts into words."""
    joined = "\n".join([*texts, ""])
    characters: npt.NDArray[Any]
    if joined.isascii():
        characters = np.frombuffer(joined.encode(), np.uint8)
    else:
        characters = np.frombuffer(joined.encode("utf-32-le"), "<u4")
    kinds = kind_of_character()[characters]
    begins = np.cumsum([0, *(len(text) + 1 for text in texts)])
    is_seen = kinds != INVISIBLE
    if not is_seen.all():
        begins = np.concatenate([[0], np.cumsum(is_seen)])[begins]
        characters, kinds = characters[is_seen], kinds[is_seen]
    is_parted = kinds == SINGLE
    if is_parted.any():
        # a separator behind what stands alone, and behind what is before it
        is_parted[:-1] |= is_parted[1:]
        times = np.where(is_parted, 2, 1)
        ends = np.cumsum(times)
        begins = np.concatenate([[0], ends])[begins]
        characters, kinds = np.repeat(characters, times), np.repeat(kinds, times)
        kinds[ends[is_parted] - 1] = SEPARATOR
    is_word = kinds != SEPARATOR
    is_end = np.zeros(len(kinds), bool)
    is_end[1:] = is_word[:-1] & ~is_word[1:]
    kept = is_word | is_end
    spaced, spaces = characters[kept], np.flatnonzero(is_end[kept])
    spaced[spaces] = ord(" ")
    offsets = np.concatenate([[0], spaces + 1])
    first = np.searchsorted(np.flatnonzero(is_end), begins)
    if characters.dtype == np.uint8:
        return Words(spaced.tobytes(), offsets, first)
    sizes = 1 + sum((spaced >= bound).astype(np.int64) for bound in (0x80, 0x800, 0x10000))
    text = spaced.tobytes().decode("utf-32-le").encode()
    return Words(text, np.concatenate([[0], np.cumsum(sizes)])[offsets], first)


@functools.cache
def kind_of_character() -> npt.NDArray[np.uint8]:
    """Return what each Unicode character is to a word."""
    kinds = np.full(sys.maxunicode + 1, SEPARATOR, np.uint8)
    for point in range(HAN_PLANES[0]):
        category = unicodedata.category(chr(point))
        kinds[point] = KIND_OF_CATEGORY.get(category, KIND_OF_CATEGORY.get(category[0], SEPARATOR))
    kinds[HAN_PLANES[0] : HAN_PLANES[1] + 1] = LETTER
    for first, last in SCRIPTS_WITHOUT_SPACES:
        block = kinds[first : last + 1]
        block[block == LETTER] = SINGLE
    for first, last in VARIATION_SELECTORS:
        kinds[first : last + 1] = INVISIBLE
    return kinds


def normal_text(text: str) -> str:
    """Return the text in Unicode NFKC and without case."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def normal_text_without_volatile(text: str) -> str:
    """Return the normal text with one word for each id, time, path and number."""
    return VOLATILE.sub(lambda match: f" {match.lastgroup} ", normal_text(text))


def server_and_tool(name: str) -> tuple[str, str]:
    """Split ``mcp__server__tool``; another name is a tool's without a server."""
    server, separator, tool = name.removeprefix("mcp__").partition("__")
    return (server, tool) if separator and name.startswith("mcp__") else ("", name)


def canonical_json(text: str) -> str:
    """Return JSON with sorted keys, without spaces and with exact numbers; else the text."""
    try:
        return exact_json.dump(exact_json.parse(text)).decode()
    except ValueError:
        return text


def binary(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return texts as bytes, of which nobody asks whether they are UTF-8."""
    texts = texts.cast(pa.large_binary())
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def decoded(text: bytes) -> str:
    """Return the text; what is not UTF-8 is a replacement character."""
    return text.decode(errors="replace")


def by_chunk(contents: pa.Array, fingerprints: Callable[[list[bytes]], pa.Table]) -> pa.Table:
    """Return the fingerprint of each content; within a chunk equal ones are made once."""
    results = [FINGERPRINT_SCHEMA.empty_table()]
    for chunk in chunks(contents):
        coded = chunk.dictionary_encode()
        results.append(fingerprints(coded.dictionary.to_pylist()).take(coded.indices))
    return pa.concat_tables(results)


def chunks(contents: pa.Array) -> Iterator[pa.Array]:
    """Cut contents, so that a chunk with what is made of it is small; one alone may be large."""
    ends = np.cumsum(pc.fill_null(pc.binary_length(contents), 0).to_numpy())
    begin, bytes_before = 0, 0
    while begin < len(contents):
        fitting = int(np.searchsorted(ends, bytes_before + CHUNK_BYTES, side="right"))
        end = min(max(fitting, begin + 1), begin + CHUNK_DOCUMENTS)
        yield contents[begin:end]
        begin, bytes_before = end, int(ends[end - 1])
