"""What similarity is, as plainly as it can be said: the truth that fingerprints are held against.

Nothing here is shared with `dlt_pipelines.fingerprints`, and nothing is hashed.
"""

import json
import unicodedata
from functools import cache
from typing import Any, NamedTuple

# Thai, Lao, Myanmar, Khmer, kana and Han are written without white space
WITHOUT_SPACES = ("THAI", "LAO", "MYANMAR", "KHMER", "HIRAGANA", "KATAKANA", "CJK")
SHINGLE = 3


def words(text: str) -> list[str]:
    """Return the words of a text after normalising."""
    found: list[str] = []
    is_open = False  # whether the next letter belongs to the last word
    for character in unicodedata.normalize("NFKC", text).casefold():
        kind = _kind(character)
        if kind == "letter" and is_open:
            found[-1] += character
        elif kind in ("letter", "word"):
            found.append(character)
        if kind != "invisible":
            is_open = kind == "letter"
    return found


@cache
def _kind(character: str) -> str:
    category, name = unicodedata.category(character), unicodedata.name(character, "")
    if category == "Cf" or "VARIATION SELECTOR" in name:
        return "invisible"
    if category == "So" or (category[0] in "LM" and name.startswith(WITHOUT_SPACES)):
        return "word"
    return "letter" if category[0] in "LMN" else "separator"


def shingles(text: str) -> set[tuple[str, ...]]:
    """Return the three-word shingles of a text; one or two words are one shingle."""
    found = words(text)
    if len(found) < SHINGLE:
        return {tuple(found)} if found else set()
    return {tuple(found[at : at + SHINGLE]) for at in range(len(found) - SHINGLE + 1)}


def tool_text(name: str, arguments: str) -> str:
    """Return the text whose shingles are those of a tool call."""
    _, server, tool = name.split("__", 2)
    canonical = json.dumps(
        json.loads(arguments), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return f"{server} {tool} {canonical}"


def jaccard(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> float:
    """Return the share of all shingles that both have."""
    return len(left & right) / len(left | right)


class Fingerprint(NamedTuple):
    """A fingerprint as it is stored, its sketch read."""

    dedup_hash: str | None
    shingle_count: int
    size: int
    hashes: frozenset[int]

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Fingerprint":
        """Read a row."""
        digits = row["sketch"]
        hashes = frozenset(int(digits[at : at + 16], 16) for at in range(0, len(digits), 16))
        return cls(row["dedup_hash"], row["shingle_count"], row["sketch_size"], hashes)

    def similarity(self, other: "Fingerprint") -> float:
        """Return the Jaccard of both where they hold every shingle, else what a sample tells."""
        if self.hashes.isdisjoint(other.hashes):
            return 0.0
        union, common = self.hashes | other.hashes, self.hashes & other.hashes
        size = min(self.size, other.size)
        if max(self.shingle_count, other.shingle_count) <= size:
            return len(common) / len(union)
        sample = sorted(union)[:size]
        return sum(found in common for found in sample) / len(sample)
