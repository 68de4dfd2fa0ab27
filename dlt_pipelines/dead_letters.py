"""Refused events, judged again: after a source was installed, or a schema mended."""

from collections.abc import Sequence
from datetime import UTC, datetime

from dlt_pipelines.cloud_events import received
from dlt_pipelines.config import Settings
from dlt_pipelines.event_gate import EventGate, RefusedError, event_types
from dlt_pipelines.event_store import DeadLetter, Entry, EventStore
from dlt_pipelines.plugin import installed_plugins
from dlt_pipelines.privacy import customer_key


def send_again(settings: Settings, store: EventStore, letters: Sequence[DeadLetter]) -> int:
    """Take what fits by now, and return how many that were; a new reason replaces the old one.

    A kill in between leaves letters of events that were taken: taken again, they count once.
    """
    types = event_types(installed_plugins().values())
    gate = EventGate(customer_key(settings.home, settings.customer), types)
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
