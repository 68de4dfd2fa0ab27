"""The audit log of the company's claude.ai organization, as its settings export it.

audit_log.csv, newest first: three of its columns hold dictionaries as text.
"""

import csv
import datetime as dt
import io
import json
import random
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from dlt_pipelines.demo.company import at, closed_days, email, zulu

COLUMNS = (
    *("created_at", "actor_info", "event", "event_info", "entity_info"),
    *("ip_address", "device_id", "user_agent", "client_platform"),
)
SIGNS_IN = 0.5  # on a workday


def files(people: Sequence[str], seed: int, until: dt.date) -> Iterator[tuple[str, str]]:
    """Yield the name and content of the export."""
    admin = people[0]
    rows = []
    for day in closed_days(until):
        rng = random.Random(f"{seed}/audit log/{day}")
        for person in people:
            if rng.random() < SIGNS_IN and day.weekday() < 5:
                rows.append(_row(rng, day, person, "user_signed_in_sso", {}, {}))
        if day.toordinal() % 10 == 0:
            server = {"type": "mcp_server", "uuid": _uuid("confluence"), "name": "confluence"}
            rows.append(_row(rng, day, admin, "mcp_server_updated", {"enabled": True}, server))
        if day.toordinal() % 14 == 0:
            other = rng.choice(people[1:])
            change = {"previous_role": "user", "current_role": "admin"}
            entity = {"type": "user", **_user(other)}
            rows.append(_row(rng, day, admin, "role_changed", change, entity))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted(rows, reverse=True))
    yield "audit_log.csv", text.getvalue()


def _row(
    rng: random.Random,
    day: dt.date,
    who: str,
    event: str,
    told: dict[str, Any],
    entity: dict[str, Any],
) -> tuple[str, ...]:
    actor = {**_user(who), "metadata": {"email_address": email(who)}}
    dictionaries = (json.dumps(actor), event, json.dumps(told), json.dumps(entity))
    time = zulu(at(day, rng.uniform(7, 18)))
    return (time, *dictionaries, "203.0.113.24", "7e0d", "Mozilla/5.0", "web")


def _user(name: str) -> dict[str, Any]:
    return {"uuid": _uuid(name), "name": name.title()}


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.northwind.example"))
