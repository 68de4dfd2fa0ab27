"""Systems that push events, and send again whatever was not acknowledged."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.intake import BATCH, Intake, event

SENDERS = 4
BATCHES = 125
BATCH_EVENTS = 20
EVENTS = SENDERS * BATCHES * BATCH_EVENTS


class Sender(threading.Thread):
    """One of them, which names its events after itself."""

    def __init__(
        self,
        client: httpx.Client,
        name: str,
        make_event: Callable[[str], dict[str, Any]],
        batches: int,
    ) -> None:
        """Take what makes an event of its name."""
        super().__init__(name=name, daemon=True)
        self.batches = [
            [f"{name}-{batch}-{number}" for number in range(BATCH_EVENTS)]
            for batch in range(batches)
        ]
        self.acknowledged: list[str] = []
        self.refused: list[tuple[int, str]] = []
        self._client = client
        self._make_event = make_event

    def run(self) -> None:
        """Send one batch after another."""
        with self._client:
            for batch in self.batches:
                while not self._is_acknowledged(batch):
                    time.sleep(0.02)
                self.acknowledged += batch

    def _is_acknowledged(self, batch: list[str]) -> bool:
        content = json.dumps([self._make_event(name) for name in batch])
        try:
            answer = self._client.post("/events", content=content, headers={"Content-Type": BATCH})
        except httpx.TransportError:
            return False
        if answer.status_code != 202:
            self.refused.append((answer.status_code, answer.headers.get("Retry-After", "")))
        return answer.status_code == 202


class Senders(list[Sender]):
    """Senders at work, who are done once everything is acknowledged."""

    def __init__(
        self,
        intake: Intake,
        make_event: Callable[[str], dict[str, Any]] | None = None,
        batches: int = BATCHES,
        padding: int = 0,
    ) -> None:
        """Start them; events of the example are longer by ``padding``."""

        def example(name: str) -> dict[str, Any]:
            return event(name, {"call_id": name + "x" * padding, "tokens": 1})

        super().__init__(
            Sender(intake.client(), f"sender{number}", make_event or example, batches)
            for number in range(SENDERS)
        )
        for sender in self:
            sender.start()

    def acknowledged(self) -> list[str]:
        """Return the names of the events that are acknowledged by now."""
        return [name for sender in self for name in list(sender.acknowledged)]

    def refused(self) -> list[tuple[int, str]]:
        """Return status and Retry-After of all that was refused by now."""
        return [answer for sender in self for answer in list(sender.refused)]

    def wait_for(self, is_time: Callable[[], object]) -> None:
        """Wait until it is time."""
        deadline = time.monotonic() + 60
        while not is_time():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def wait_until_done(self) -> None:
        """Wait until all that there is to send is acknowledged."""
        for sender in self:
            sender.join(60)
        everything = [name for sender in self for batch in sender.batches for name in batch]
        assert sorted(self.acknowledged()) == sorted(everything)
