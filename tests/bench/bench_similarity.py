"""How surely fingerprints tell the same work from other work, level by level.

usage: python -m tests.bench.bench_similarity [--picture docs/images/similarity.svg]

The labelled requests of `tests/labelled_requests.py` are fingerprinted, and of each level every
request is held against every other. A pair is found where its similarity is at least the threshold.
Prints recall, precision and F1 by level and threshold, as tables of `docs/hivemind.md`.
"""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dlt_pipelines.config import FingerprintSettings
from dlt_pipelines.fingerprints import Fingerprinter
from dlt_pipelines.privacy import CustomerKey
from tests.labelled_requests import Level, Request, levels
from tests.plain_similarity import Fingerprint

KEY = CustomerKey(b"labelled requests, fixed secret")
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SURE = ("copy", "case", "white space", "punctuation", "order of JSON keys")


Similarities = npt.NDArray[np.float64]


class Measured(NamedTuple):
    """The similarities of one level's pairs."""

    name: str
    is_same_work: bool
    related: Similarities
    """Of requests and what was made of them."""
    unrelated: Similarities
    """Of requests of other work."""

    @property
    def same(self) -> Similarities:
        """Return those that should be found."""
        return self.related if self.is_same_work else self.related[:0]

    @property
    def different(self) -> Similarities:
        """Return those that should not be found."""
        return self.unrelated if self.is_same_work else joined([self.related, self.unrelated])


class Quality(NamedTuple):
    """How good finding at a threshold is; 1 is perfect."""

    recall: float
    precision: float

    @property
    def f1(self) -> float:
        """Return the harmonic mean of both."""
        total = self.recall + self.precision
        return 2 * self.recall * self.precision / total if total else 0.0


def fingerprints(
    requests: list[Request], settings: FingerprintSettings
) -> dict[Request, Fingerprint]:
    """Return the fingerprint of every request."""
    fingerprinter = Fingerprinter(KEY, settings)
    prompts = [request for request in requests if not request.tool]
    tools = [request for request in requests if request.tool]
    of_prompts = fingerprinter.prompts(pa.array([request.content for request in prompts]))
    of_tools = fingerprinter.tool_inputs(
        pa.array([request.tool for request in tools]),
        pa.array([request.content for request in tools]),
    )
    rows = [*of_prompts.to_pylist(), *of_tools.to_pylist()]
    return dict(zip([*prompts, *tools], map(Fingerprint.of, rows), strict=True))


def measure(every_level: list[Level], found: dict[Request, Fingerprint]) -> list[Measured]:
    """Return the similarities of every level."""
    return [_measured(level, found) for level in every_level]


def _measured(level: Level, found: dict[Request, Fingerprint]) -> Measured:
    similarities: dict[bool, list[float]] = {True: [], False: []}
    for one, other, is_related in level.pairs():
        similarities[is_related].append(found[one].similarity(found[other]))
    related, unrelated = np.array(similarities[True]), np.array(similarities[False])
    return Measured(level.name, level.is_same_work, related, unrelated)


def joined(parts: Iterable[Similarities]) -> Similarities:
    """Return the similarities of all parts."""
    return np.concatenate(list(parts))


def share(similarities: Similarities, threshold: float) -> float:
    """Return the share of pairs that are found."""
    return float(np.mean(similarities >= threshold))


def quality(same: Similarities, different: Similarities, threshold: float) -> Quality:
    """Return recall and precision at a threshold; precision is 1 where nothing is found."""
    right = np.count_nonzero(same >= threshold)
    wrong = np.count_nonzero(different >= threshold)
    precision = right / (right + wrong) if right + wrong else 1.0
    return Quality(right / len(same), precision)


def everything(measured: list[Measured]) -> tuple[Similarities, Similarities]:
    """Return the similarities of all pairs of the same work, and of all of different work."""
    return joined(level.same for level in measured), joined(level.different for level in measured)


def tables(measured: list[Measured], volatile: list[Measured]) -> list[str]:
    """Return the lines of the tables, in Markdown."""
    same, different = everything(measured)
    others = joined(level.unrelated for level in measured)
    [ids] = [level for level in volatile if level.name == "other ids in passing"]

    def f1(level: Measured, threshold: float) -> float:
        return quality(level.same, level.different, threshold).f1

    lines = [_head("The same work, found (recall)", "Pairs")]
    lines += [_row(level.name, level.related, share) for level in measured if level.is_same_work]
    lines += [_row(f"{ids.name}, switch on", ids.related, share)]
    lines += ["", _head("Other work, found (wrongly)", "Pairs")]
    lines += [
        _row(level.name, level.related, share) for level in measured if not level.is_same_work
    ]
    lines += [_row("nothing in common", others, share)]
    lines += ["", _head("Precision and F1", "Found at 0.6")]
    for level in (level for level in measured if level.is_same_work):
        count = int(np.count_nonzero(level.same >= THRESHOLDS[1]))
        values = [quality(level.same, level.different, t) for t in THRESHOLDS]
        lines.append(_cells(level.name, count, [f"{v.precision:.2f} · {v.f1:.2f}" for v in values]))
    values = [quality(same, different, t) for t in THRESHOLDS]
    count = int(np.count_nonzero(same >= THRESHOLDS[1]))
    lines.append(_cells("all levels", count, [f"{v.precision:.2f} · {v.f1:.2f}" for v in values]))
    return lines


def _head(title: str, count: str) -> str:
    columns = [title, count, *(f"{threshold:.1f}" for threshold in THRESHOLDS)]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def _row(
    name: str, similarities: Similarities, value: Callable[[Similarities, float], float]
) -> str:
    return _cells(name, len(similarities), [_percent(value(similarities, t)) for t in THRESHOLDS])


def _cells(name: str, count: int, values: list[str]) -> str:
    return f"| {' | '.join([name, f'{count:,}', *values])} |"


def _percent(value: float) -> str:
    """Return a share; what is not quite nothing or all does not look like it."""
    if 0 < value < 0.001:
        return "< 0.1 %"
    if 0.999 < value < 1:
        return "> 99.9 %"
    return f"{100 * value:.1f} %" if 0 < value < 1 else f"{100 * value:.0f} %"


def draw(measured: list[Measured], picture: Path) -> None:
    """Write the curves: recall by level above, precision, recall and F1 of all levels below."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "similarity", "font.size": 13, "axes.titlesize": 14}
    from matplotlib import pyplot

    by_name = {level.name: level for level in measured}
    sure = joined(by_name[name].related for name in SURE)
    # colours of Okabe and Ito, which colour-blind people tell apart; solid is right, dashed wrong
    curves = [
        ("copy, case, white space,\npunctuation, order of keys", sure, "#000000", "-"),
        ("one word in twenty", by_name["one word in twenty"].related, "#0072B2", "-"),
        ("light paraphrase", by_name["light paraphrase"].related, "#009E73", "-"),
        ("one word in ten", by_name["one word in ten"].related, "#56B4E9", "-"),
        ("rewrite", by_name["rewrite"].related, "#CC79A7", "-"),
        ("template with one slot", by_name["template with one slot"].related, "#D55E00", "--"),
        (
            "another value in a call",
            by_name["another value in a tool call"].related,
            "#E69F00",
            "--",
        ),
    ]
    steps = [step / 200 for step in range(60, 201)]
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(6.4, 10.4), layout="constrained")
    for name, similarities, colour, style in curves:
        above.plot(
            steps, [share(similarities, t) for t in steps], style, color=colour, lw=2.4, label=name
        )
    above.set_title("Pairs found, by how they differ\n(solid: the same work; dashed: other work)")
    above.set_ylabel("share of the pairs that is found")
    above.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=11, frameon=False
    )
    same, different = everything(measured)
    values = [quality(same, different, t) for t in steps]
    for name, points, colour, style in (
        ("precision", [value.precision for value in values], "#0072B2", "-"),
        ("recall", [value.recall for value in values], "#D55E00", "--"),
        ("F1", [value.f1 for value in values], "#000000", ":"),
    ):
        below.plot(steps, points, style, color=colour, lw=2.4, label=name)
    below.set_title("All levels together")
    below.set_ylabel("precision, recall, F1")
    below.legend(loc="lower left", frameon=False)
    for axes in (above, below):
        axes.axvline(0.8, color="#777777", lw=1)
        axes.annotate("default", (0.795, 0.02), ha="right", color="#555555", fontsize=11)
        axes.set_xlabel("threshold of similarity")
        axes.set_xlim(0.3, 1.0)
        axes.set_ylim(-0.02, 1.04)
        axes.grid(color="#dddddd")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, metadata={"Date": None} if picture.suffix == ".svg" else None, dpi=150)


def main() -> None:
    """Print the tables and write the picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--picture", type=Path, help="where to write the curves, .svg or .png")
    arguments = parser.parse_args()
    every_level = levels()
    requests = [request for level in every_level for request in level.left + level.right]
    measured, volatile = (
        measure(every_level, fingerprints(requests, FingerprintSettings(leave_out_volatile=switch)))
        for switch in (False, True)
    )
    print("\n".join(tables(measured, volatile)))
    if arguments.picture:
        draw(measured, arguments.picture)


if __name__ == "__main__":
    main()
