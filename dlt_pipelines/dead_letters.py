"""Refused events, judged again: after a source was installed, or a schema mended."""

from collections.abc import Sequence
from datetime import UTC, datetime

from dlt_pipelines.cloud_events import received
from dlt_pipelines.config import Settings
from dlt_pipelines.event_gate import RefusedError, event_types, open_gate
from dlt_pipelines.event_store import DeadLetter, Entry, EventStore
from dlt_pipelines.plugin import installed_plugins


def send_again(settings: Settings, store: EventStore, letters: Sequence[DeadLetter]) -> int:
    """Take what fits by now, and return how many that were; a new reason replaces the old one.

    A kill in between leaves letters of events that were taken: taken again, they count once.
    """
    gate = open_gate(settings, event_types(installed_plugins().values()))
    lines: list[bytes] = []
    still: list[DeadLetter] = []
    for letter in letters:
        event = received(letter.event)
        try:
            lines.append(gate.admit(event))
        except RefusedError as error:
            if again := gate.letter(event, str(error), letter.received_at):
                still.append(again)
    received_at = datetime.now(UTC).replace(tzinfo=None)
    entries = [Entry("events", b"\n".join(lines), received_at)] if lines else []
    store.append(entries, still)
    kept = {letter.letter_id for letter in still}
    store.discard_letters([old.letter_id for old in letters if old.letter_id not in kept])
    return len(lines)
