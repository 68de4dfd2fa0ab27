"""Requests of which it is known whether they ask for the same work.

What people wrote is in `tests/fixtures/hivemind`: the same requests in eight languages, code, and
arguments of MCP tools, with a lightly edited paraphrase and one in quite other words. The rest is
made of these by a fixed seed. A level is a way in which a request differs from the one it came
from; each request of ``left`` is held against each of ``right``.
"""

import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

from tests.plain_similarity import words

FIXTURES = Path(__file__).with_name("fixtures") / "hivemind"
VARIANTS = 3
EDITED_VARIANTS = 5
LONG_PROMPT = 20  # words
MATERIAL = (300, 500, 900, 1800)  # words that somebody pastes behind a request
# of the languages whose vocabulary is large enough not to repeat three words by chance
MATERIAL_LANGUAGES = ("en", "de", "ru", "zh")
NAMES = (
    *("Aurora", "Borealis", "Cobalt", "Delta Nord", "Elm Street", "Fjord Line"),
    *("Gamma", "Halcyon", "Indigo", "Juniper", "Kestrel Labs", "Lumen"),
)
PREAMBLE = (
    "You help the people of a company that sells furniture. Answer briefly, in the language of the "
    "question, and say so where you are not sure. "
)


class Request(NamedTuple):
    """What somebody asked."""

    work: str
    """What is to be done; requests of one work are worth paying once."""
    language: str
    content: str
    """The prompt, or the arguments of a tool as JSON."""
    tool: str = ""
    """The name of the MCP tool, for arguments."""


class Level(NamedTuple):
    """Requests, and how those of ``right`` differ from those of ``left``."""

    name: str
    left: list[Request]
    right: list[Request]
    is_same_work: bool = True
    """Whether a request and what was made of it are the same work."""

    def pairs(self) -> Iterator[tuple[Request, Request, bool]]:
        """Return every pair, and whether one was made of the other."""
        if self.left is self.right:
            every: Iterable[tuple[Request, Request]] = combinations(self.left, 2)
        else:
            every = product(self.left, self.right)
        for one, other in every:
            related = one.work == other.work
            # a request in another language is neither the same request nor other work
            same_topic = _topic(one) == _topic(other)
            if bool(one.tool) == bool(other.tool) and (related or not same_topic):
                yield one, other, related


def _topic(request: Request) -> str:
    return request.work.partition("/")[0]


def levels() -> list[Level]:
    """Return every level, from a copy to other work that looks alike.

    All other work is in every level: what is not related.
    """
    prompts = [*_prose(), *_code(), *_long()]
    tools = _tools()
    bases = [*prompts, *tools]
    long_prompts = [base for base in prompts if len(words(base.content)) >= LONG_PROMPT]
    short_prompts = [base for base in prompts if len(words(base.content)) < LONG_PROMPT]
    cased = [base for base in prompts if base.content.upper() != base.content]
    vocabulary = _vocabulary(prompts)

    def edited(every: int) -> Callable[[Request, random.Random], str]:
        return lambda base, chance: _with_words_changed(
            base.content, every, vocabulary[base.language], chance
        )

    def one_word(base: Request, chance: random.Random) -> str:
        return _with_words_changed(
            base.content, len(words(base.content)), vocabulary[base.language], chance
        )

    light, rewritten = _written()
    written = [base for base in prompts if base.work in light]
    return [
        Level("copy", bases, [base._replace() for base in bases]),
        Level("case", cased, _variants(cased, _other_case, VARIANTS)),
        Level(
            "white space",
            bases,
            _variants(prompts, _other_white_space, VARIANTS)
            + _variants(tools, _other_layout, VARIANTS),
        ),
        Level("punctuation", prompts, _variants(prompts, _other_punctuation, VARIANTS)),
        Level("order of JSON keys", tools, _variants(tools, _other_order, EDITED_VARIANTS)),
        Level(
            "other ids in passing",
            _variants(prompts, _with_ids, 1),
            _variants(prompts, _with_other_ids, VARIANTS),
        ),
        Level(
            "one word in twenty",
            long_prompts,
            _variants(long_prompts, edited(20), EDITED_VARIANTS),
        ),
        Level(
            "one word in ten", long_prompts, _variants(long_prompts, edited(10), EDITED_VARIANTS)
        ),
        Level(
            "one word of fewer than twenty",
            short_prompts,
            _variants(short_prompts, one_word, EDITED_VARIANTS * 2),
        ),
        Level(
            "light paraphrase",
            written,
            [base._replace(content=light[base.work]) for base in written],
        ),
        Level(
            "rewrite",
            written,
            [base._replace(content=rewritten[base.work]) for base in written],
        ),
        _translations(_prose()),
        _templates(),
        Level(
            "another value in a tool call",
            tools,
            _variants(tools, _other_value, EDITED_VARIANTS),
            is_same_work=False,
        ),
        _with_one_preamble(_prose()),
    ]


def seeded(*parts: str | int) -> random.Random:
    """Return what chooses the same every time."""
    return random.Random(" ".join(map(str, parts)))  # noqa: S311


@cache
def _lines(name: str) -> list[dict[str, Any]]:
    text = (FIXTURES / f"{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _prose() -> list[Request]:
    return [
        Request(f"{line['work']}/{line['language']}", line["language"], line["text"])
        for line in _lines("prose")
    ]


def _code() -> list[Request]:
    return [Request(line["work"], "code", line["text"]) for line in _lines("code")]


def _tools() -> list[Request]:
    return [
        Request(
            line["work"],
            "json",
            json.dumps(line["input"], ensure_ascii=False),
            f"mcp__{line['server']}__{line['tool']}",
        )
        for line in _lines("tools")
    ]


def _long() -> list[Request]:
    """Return requests with material behind them, drawn from the words of the language."""
    prose = _prose()
    vocabulary = _vocabulary(prose)
    found = []
    for language in MATERIAL_LANGUAGES:
        bases = [base for base in prose if base.language == language]
        separator = "" if language == "zh" else " "
        for base, length in zip(bases, MATERIAL, strict=False):
            chance = seeded("material", base.work)
            material = separator.join(chance.choices(vocabulary[language], k=length))
            found.append(Request(f"long {base.work}", language, f"{base.content}\n\n{material}\n"))
    return found


def _vocabulary(requests: list[Request]) -> dict[str, list[str]]:
    found = defaultdict(set)
    for request in requests:
        found[request.language].update(words(request.content))
    return {language: sorted(known) for language, known in found.items()}


def _variants(
    bases: list[Request], change: Callable[[Request, random.Random], str], count: int
) -> list[Request]:
    return [
        base._replace(content=change(base, seeded(change.__name__, base.work, n)))
        for base in bases
        for n in range(count)
    ]


def _other_case(base: Request, chance: random.Random) -> str:
    ways = (str.upper, str.lower, str.title, str.swapcase)
    return chance.choice(ways)(base.content)


def _other_white_space(base: Request, chance: random.Random) -> str:
    def space(_: re.Match[str]) -> str:
        return chance.choice((" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", " \n\n "))

    # scripts that write none have some behind their punctuation
    text = re.sub(r"\s+|(?<=[、。，])", space, base.content)
    return chance.choice(("", "\n", "  ")) + text + chance.choice(("", "\n\n", " "))


def _other_layout(base: Request, chance: random.Random) -> str:
    return json.dumps(
        json.loads(base.content),
        indent=chance.choice((None, 1, 2, 4)),
        separators=chance.choice(((",", ":"), (", ", ": "), (" , ", " : "))),
        ensure_ascii=chance.choice((True, False)),
    )


def _other_punctuation(base: Request, chance: random.Random) -> str:
    def mark(_: re.Match[str]) -> str:
        return chance.choice(("", ",", ";", " –", "...", "!", " (", ")", ":", "…", "。", "؟"))

    text = re.sub(r"[、。，]|[.,;:!?،؛؟]+(?=\s|$)", mark, base.content)
    text = re.sub(r"'", chance.choice(("'", "\u2019", "-")), text)
    return (
        chance.choice(("", "\u201c", "- ", "**", "> "))
        + text
        + chance.choice(("", "!!!", "\u201d"))
    )


def _other_order(base: Request, chance: random.Random) -> str:
    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [shuffled(item) for item in value]
        if isinstance(value, dict):
            items = [(key, shuffled(item)) for key, item in value.items()]
            chance.shuffle(items)
            return dict(items)
        return value

    return json.dumps(shuffled(json.loads(base.content)), ensure_ascii=False)


def _with_ids(base: Request, chance: random.Random) -> str:
    """Say what differs each time and is not what is asked for."""
    day, hour, minute = chance.randint(10, 28), chance.randint(10, 23), chance.randint(10, 59)
    request = f"{chance.getrandbits(128):032x}"
    uuid = "-".join((request[:8], request[8:12], request[12:16], request[16:20], request[20:]))
    user = chance.choice(("ana", "ben", "chen", "dana", "emre"))
    return f"[{uuid}] 2026-11-{day}T{hour}:{minute}:00Z /home/{user}/work/notes.md\n{base.content}"


def _with_other_ids(base: Request, chance: random.Random) -> str:
    return _with_ids(base, chance)


def _with_words_changed(text: str, every: int, vocabulary: list[str], chance: random.Random) -> str:
    """Change one word at random in each stretch of ``every``; of a shorter rest, by its share."""
    spans = _word_spans(text)
    for begin in reversed(range(0, len(spans), every)):
        at = begin + chance.randrange(every)
        if at < len(spans):
            start, end = spans[at]
            before = words(text[start:end])
            other = chance.choice([word for word in vocabulary if word not in before])
            text = text[:start] + other + text[end:]
    return text


@cache
def _word_spans(text: str) -> list[tuple[int, int]]:
    spans = []
    for match in re.finditer(r"[^\W_]+", text):
        start, end = match.span()
        if len(words(match.group())) == 1:
            spans.append((start, end))
        else:  # a script without white space
            spans += [(at, at + 1) for at in range(start, end)]
    return spans


def _written() -> tuple[dict[str, str], dict[str, str]]:
    """Return the light paraphrases and the rewrites that people wrote, by work."""
    light, rewritten = {}, {}
    for request, line in zip(
        [*_prose(), *_code()], [*_lines("prose"), *_lines("code")], strict=True
    ):
        text = request.content
        for old, new in line["light"]:
            text = text.replace(old, new, 1)
        light[request.work], rewritten[request.work] = text, line["rewrite"]
    return light, rewritten


def _translations(prose: list[Request]) -> Level:
    requests = [request._replace(work=_topic(request)) for request in prose]
    return Level("translation", requests, requests)


def _templates() -> Level:
    requests = [
        Request(f"template {number}", line["language"], line["text"].replace("{}", name))
        for number, line in enumerate(_lines("templates"))
        for name in NAMES
    ]
    return Level("template with one slot", requests, requests, is_same_work=False)


def _with_one_preamble(prose: list[Request]) -> Level:
    requests = [
        request._replace(work="preamble", content=PREAMBLE + request.content)
        for request in prose
        if request.language == "en"
    ]
    return Level("one preamble", requests, requests, is_same_work=False)


def _other_value(base: Request, chance: random.Random) -> str:
    [key] = [line["asked_for"] for line in _lines("tools") if line["work"] == base.work]
    arguments = json.loads(base.content)
    if isinstance(arguments[key], int):
        arguments[key] += chance.randint(1, 9999)
    else:
        arguments[key] += chance.choice("abcdefghij") + str(chance.randint(10, 99))
    return json.dumps(arguments, ensure_ascii=False)
