"""A nightly job that sorts documents with OpenAI's models, and lists its calls in a file a month.

<month>.csv, one line a call, in columns of its own: who reads it says in a mapping what they mean.
"""

import csv
import datetime as dt
import io
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator

from dlt_pipelines.demo.company import (
    Metered,
    ProgramCall,
    at,
    closed_days,
    made_id,
    no_tokens,
    zulu,
)

PROJECT = "proj_documents"
MODEL = "gpt-4.1-mini"
BEGINS_AT_HOUR = 1
FAILS = 0.01
COLUMNS = ("time", "id", "project", "model", "tokens in", "cached", "tokens out", "ms", "result")


def calls(seed: int, until: dt.date) -> Iterator[ProgramCall]:
    """Yield the job's calls, one after the other."""
    for day in closed_days(until):
        rng = random.Random(f"{seed}/documents/{day}")
        started_at = at(day, BEGINS_AT_HOUR)
        for _ in range(rng.randint(15, 40)):
            ended_at = started_at + dt.timedelta(milliseconds=rng.randint(500, 4000))
            is_success = rng.random() >= FAILS
            read, written = rng.randint(600, 6000), rng.randint(5, 40)
            tokens = no_tokens()
            if is_success:
                tokens |= {"input": read, "cache_read": 512, "output": written}
            yield ProgramCall(
                metered=Metered(MODEL, started_at, tokens, workspace=PROJECT, vendor="openai"),
                response_id=made_id(rng, "chatcmpl-"),
                ended_at=ended_at,
                is_success=is_success,
            )
            started_at = ended_at + dt.timedelta(seconds=1)


def files(calls: Iterable[ProgramCall]) -> Iterator[tuple[str, str]]:
    """Yield the name and content of each month's list."""
    months: dict[str, list[ProgramCall]] = defaultdict(list)
    for call in calls:
        months[f"{call.metered.started_at:%Y-%m}"].append(call)
    for month, members in sorted(months.items()):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_line(call) for call in members)
        yield f"{month}.csv", text.getvalue()


def _line(call: ProgramCall) -> tuple[str | int | None, ...]:
    metered = call.metered
    return (
        zulu(metered.started_at),
        call.response_id,
        metered.workspace,
        metered.model,
        metered.prompt_tokens,
        metered.tokens["cache_read"],
        metered.tokens["output"],
        call.milliseconds,
        "ok" if call.is_success else "failed",
    )
