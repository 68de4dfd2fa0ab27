"""Append to an event store until killed; each number is printed once it is acknowledged.

usage: event_writer.py HOME CUSTOMER URL NAME FIRST COUNT
"""

import sys
from datetime import datetime
from pathlib import Path

from dlt_pipelines.config import Settings
from dlt_pipelines.errors import EventStoreError
from dlt_pipelines.event_store import DeadLetter, Entry
from dlt_pipelines.event_store.opening import open_store

AT = datetime(2026, 11, 23, 4, 5, 6, 789)
GROUP = 3


def group(name: str, number: int) -> list[Entry]:
    """Return the entries of one append, each of which says which."""
    return [Entry("events", f"{name} {number} {part}\n".encode(), AT) for part in range(GROUP)]


def main(home: str, customer: str, url: str, name: str, first: str, count: str) -> int:
    """Append ``count`` groups, each with a dead letter."""
    store = open_store(Settings(Path(home), "", customer, event_store_url=url))
    for number in range(int(first), int(first) + int(count)):
        letter = DeadLetter(f"{name} {number}", "is wrong", {"number": number}, AT)
        try:
            store.append(group(name, number), [letter])
        except EventStoreError as error:
            print(error, file=sys.stderr)
            return 3
        print(number, flush=True)
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
