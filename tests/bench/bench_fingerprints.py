"""How many prompts and tool inputs one core fingerprints, and in how much memory.

usage: python -m tests.bench.bench_fingerprints [--prompts N]

Each shape is made and fingerprinted in a process of its own, on one core, at 10,000 contents a time
as a load hands them over. Rates are by the processor's time, so that what else runs counts little;
memory is what fingerprinting added at its highest, imports and the contents themselves left out.
"""

import argparse
import json
import os
import random
import resource
import string
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import accumulate, islice
from multiprocessing import get_context

import pyarrow as pa

from dlt_pipelines.config import FingerprintSettings
from dlt_pipelines.fingerprints import Fingerprinter
from dlt_pipelines.privacy import CustomerKey

AT_A_TIME = 10_000
TOOL = "mcp__tickets__search"
GOAL = 20_000

CHANCE = random.Random(7)  # noqa: S311  # the same contents every time
LETTERS = string.ascii_lowercase
WORDS = ["".join(CHANCE.choices(LETTERS, k=CHANCE.randint(2, 9))) for _ in range(30_000)]
# few words are most of a text, as in any language
WEIGHTS = list(accumulate(1 / (rank + 3) for rank in range(len(WORDS))))


def prose(words: int) -> Iterator[str]:
    """Yield texts of so many words, now and then a number or a name that no other has."""
    while True:
        text = CHANCE.choices(WORDS, cum_weights=WEIGHTS, k=words)
        text[CHANCE.randrange(words)] = f"{CHANCE.choice(LETTERS)}{CHANCE.getrandbits(30)}"
        yield " ".join(text).capitalize() + "."


def accented(words: int) -> Iterator[str]:
    """Yield texts that are no ASCII."""
    return (text.replace("e", "\N{LATIN SMALL LETTER E WITH ACUTE}") for text in prose(words))


def chinese(characters: int) -> Iterator[str]:
    """Yield texts without white space."""
    while True:
        yield "".join(chr(0x4E00 + CHANCE.randrange(3000)) for _ in range(characters))


def unseen(words: int) -> Iterator[str]:
    """Yield texts of which no two share a word, which is as slow as it gets."""
    while True:
        yield " ".join(f"{CHANCE.getrandbits(40):x}" for _ in range(words))


def one_of(texts: Iterator[str], distinct: int) -> Iterator[str]:
    """Yield the same few texts again and again."""
    few = list(islice(texts, distinct))
    while True:
        yield CHANCE.choice(few)


def arguments_of_calls() -> Iterator[str]:
    """Yield inputs of a tool."""
    for number, query in enumerate(prose(8)):
        yield json.dumps({"query": query, "page": {"size": 50, "at": number}, "tags": ["a", "b"]})


# by name: the contents, how many of them for a prompt of --prompts, and what they are
SHAPES: dict[str, tuple[Callable[[], Iterator[str]], float, str]] = {
    "prompts of 60 words": (lambda: prose(60), 1, "prompts"),
    "the same without what is volatile": (lambda: prose(60), 0.25, "without volatile"),
    "prompts of 60 words with accents": (lambda: accented(60), 0.25, "prompts"),
    "prompts of 100 Chinese characters": (lambda: chinese(100), 0.25, "prompts"),
    "prompts of 60 words never seen": (lambda: unseen(60), 0.25, "prompts"),
    "ten prompts again and again": (lambda: one_of(prose(60), 10), 1, "prompts"),
    "prompts of 3,000 words": (lambda: prose(3000), 0.01, "prompts"),
    "prompts of 5 MB": (lambda: prose(900_000), 0.00002, "prompts"),
    "MCP inputs": (arguments_of_calls, 0.5, "tools"),
    "100 MCP inputs again and again": (lambda: one_of(arguments_of_calls(), 100), 1, "tools"),
}


def main() -> None:
    """Print a line a shape."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prompts", type=int, default=200_000)
    prompts = parser.parse_args().prompts
    print(f"{'':36}{'contents':>10}{'a second':>12}{'MB/s':>8}{'MB used':>9}")
    rates = []
    for name, (_, share, _) in SHAPES.items():
        number = max(int(prompts * share), 1)
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            rate, megabytes, memory = pool.submit(measured, name, number).result()
        rates.append(rate)
        print(f"{name:36}{number:>10,}{rate:>12,.0f}{megabytes:>8.1f}{memory:>9.0f}", flush=True)
    print(f"\nprompts of 60 words, a second and core: {rates[0]:,.0f} (at least {GOAL:,})")


def measured(name: str, number: int) -> tuple[float, float, float]:
    """Return contents and megabytes a second, and megabytes used, in this process."""
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    contents, _, how = SHAPES[name]
    settings = FingerprintSettings(leave_out_volatile=how == "without volatile")
    fingerprinter = Fingerprinter(CustomerKey(b"bench" * 8), settings)
    fingerprinter.prompts(pa.array(["tables are made at the first use"]))
    texts = contents()
    seconds, size, memory = 0.0, 0, 0
    for begin in range(0, number, AT_A_TIME):
        batch = pa.array(islice(texts, min(AT_A_TIME, number - begin)), pa.string())
        size += batch.nbytes
        before, began = peak_memory(), time.process_time()
        if how == "tools":
            fingerprinter.tool_inputs(pa.array([TOOL] * len(batch)), batch)
        else:
            fingerprinter.prompts(batch)
        seconds += time.process_time() - began
        memory += peak_memory() - before
    return number / seconds, size / 1e6 / seconds, memory / 1024


def peak_memory() -> int:
    """Return the most memory that this process ever had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
