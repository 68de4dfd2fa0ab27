"""Every mart again from what was observed alone: as it is known now, or as it was at a time.

A replay reads the raw schema and writes to schemas of its own, so the customer's marts stay as they
are. What was known at a time is what was complete in the warehouse by then; what was not yet known
of the price book does not count either. Nothing of a replay depends on when it is run.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dlt_pipelines.config import CUSTOMER_SLUG, Settings
from dlt_pipelines.destinations import MissingRelationError, warehouse_at
from dlt_pipelines.errors import MindweaveError, UsageError
from flows.build import make_ready
from flows.compare import MartComparison, compare_marts, public_marts
from flows.dbt_project import DbtProject, dbt_folder

DAY = re.compile(r"\d{4}-\d\d-\d\d")
TIME = re.compile(DAY.pattern + r"[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?")

COMPLETED = """
select min(inserted_at) as first_at, max(inserted_at) as last_at
from {raw}._dlt_loads
where status = 0
"""
SCHEMAS = """
select schema_name
from information_schema.schemata
where schema_name in ('{schema}', '{schema}_staging')
"""


@dataclass(frozen=True)
class Replay:
    """What was built, of which time, and how it compares with the customer's marts."""

    schema: str
    known_until: datetime
    """When the newest of what it knows was complete at the latest, UTC."""

    comparisons: Sequence[MartComparison]
    """The customer's marts are the first side."""

    not_built: Sequence[str]
    """Marts that the customer does not have."""


def read_time(text: str) -> datetime:
    """Return a time of RFC 3339, UTC where it names no zone, or the last moment of a day of UTC.

    Raises UsageError for anything else.
    """
    try:
        if DAY.fullmatch(text):
            return datetime.fromisoformat(f"{text}T23:59:59.999999Z")
        if TIME.fullmatch(text):
            time = datetime.fromisoformat(text.upper())
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"{text!r} is not a time: write it as 2026-11-01T12:00:00Z, or as 2026-11-01")


def as_text(time: datetime) -> str:
    """Write a time of UTC as it is read."""
    return time.isoformat().replace("+00:00", "Z")


def replay(settings: Settings, as_of: datetime | None = None, into: str | None = None) -> Replay:
    """Build and test every mart anew into ``into``, and hold the customer's marts against them.

    The customer must be locked. Raises UsageError for a time that is not over or before all that
    is known, and for a schema that is not a replay's; MindweaveError where it does not build.
    """
    target = replace(settings, schema_prefix="replay", into=into)
    if into is not None:
        _check_schema(target, into)
    make_ready(settings)
    known_until = _known_until(settings, as_of)
    variables = {"mindweave__as_of": f"{known_until:%Y-%m-%d %H:%M:%S.%f}"}
    if as_of:
        variables["mindweave__as_known_on"] = f"{known_until:%Y-%m-%d}"
    project = DbtProject(target, variables=variables)
    _own(target).parent.mkdir(parents=True, exist_ok=True)
    _own(target).touch()
    project.clear_schemas()
    project.build("--full-refresh", "--exclude-resource-type", "unit_test")
    comparisons, not_built = [], []
    for mart in public_marts(target):
        try:
            comparisons += compare_marts(settings, target, [mart])
        except MissingRelationError:
            not_built.append(mart)
    return Replay(target.marts_schema, known_until, comparisons, not_built)


def _known_until(settings: Settings, as_of: datetime | None) -> datetime:
    """Return the time that a replay is of: where none is asked for, that of the newest load."""
    if as_of and as_of > datetime.now(UTC):
        raise UsageError(f"{as_text(as_of)} is not over: leave out --as-of for what is known now")
    warehouse = warehouse_at(settings.warehouse_url)
    [completed] = warehouse.query(COMPLETED.format(raw=settings.raw_schema)).to_pylist()
    if not completed["first_at"]:
        raise MindweaveError(
            f"no load of customer {settings.customer} is complete: run `mindweave load` first"
        )
    first, last = (completed[name].replace(tzinfo=UTC) for name in ("first_at", "last_at"))
    if as_of and as_of < first:
        raise UsageError(
            f"nothing was known of customer {settings.customer} at {as_text(as_of)}: "
            f"the first load was complete at {as_text(first)}"
        )
    return as_of or last


def _check_schema(target: Settings, name: str) -> None:
    """Refuse a schema that is somebody else's: a replay drops what is in its own."""
    if not CUSTOMER_SLUG.fullmatch(name):
        raise UsageError(
            f"--into {name!r} is no name for a schema: use a lower-case letter, then up to 30 "
            "lower-case letters, digits or underscores"
        )
    if name.startswith("customer_"):
        raise UsageError(f"--into {name} could be a customer's own schema: choose another name")
    if _own(target).exists():
        return
    warehouse = warehouse_at(target.warehouse_url)
    for row in warehouse.query(SCHEMAS.format(schema=name)).to_pylist():
        raise UsageError(
            f"--into {name}: the schema {row['schema_name']} is there already, and no replay of "
            f"customer {target.customer} made it: choose another name, or drop it"
        )


def _own(target: Settings) -> Path:
    """Return the file that says that the schemas in this warehouse are the replay's."""
    identity = warehouse_at(target.warehouse_url).identity
    return dbt_folder(target) / f"replayed-{identity}"
