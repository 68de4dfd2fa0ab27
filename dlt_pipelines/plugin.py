"""The contract of a source and the one door it comes in by.

A source is a class that the entry-point group ``mindweave.sources`` names::

    [project.entry-points."mindweave.sources"]
    acme = "acme_mindweave:AcmePlugin"

Ours and anybody's come in the same way. What a plugin yields lands in the customer's raw schema;
its tables start with the plugin's name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import pyarrow as pa
from pydantic import BaseModel

from dlt_pipelines.config import FingerprintSettings
from dlt_pipelines.destinations import BulkFormat
from dlt_pipelines.errors import MindweaveError, UsageError
from dlt_pipelines.landing import RawTable
from dlt_pipelines.privacy import CustomerKey

if TYPE_CHECKING:
    from dlt.extract import DltResource

ENTRY_POINT_GROUP = "mindweave.sources"
Config = TypeVar("Config", bound=BaseModel)


@dataclass
class RowCounts:
    """What a load met: every row read is loaded, ignored or quarantined, so the three add up."""

    rows_read: int = 0
    rows_loaded: int = 0
    rows_ignored: int = 0
    rows_quarantined: int = 0
    files_read: int = 0
    bytes_read: int = 0

    def add(self, more: "RowCounts") -> None:
        """Add what one more part of the load met."""
        for counted in fields(self):
            setattr(self, counted.name, getattr(self, counted.name) + getattr(more, counted.name))


@dataclass(frozen=True)
class LoadContext:
    """What a plugin may know of the run that it loads for."""

    customer: str
    load_id: str
    home: Path
    key: CustomerKey
    bulk_format: BulkFormat
    landing: Path
    """An empty folder for files to hand over; it is removed after the load."""
    read_raw: Callable[[str], pa.Table | None]
    """Run a query in the raw schema (``{raw}`` is its name); None where nothing landed yet."""
    progress: Callable[[int, int], None]
    """Tell how many bytes are done, and of how many."""
    now: datetime
    """The time of the run, in UTC and without zone."""
    fingerprints: FingerprintSettings = field(default_factory=FingerprintSettings)
    """How content is normalised before it is fingerprinted."""
    counts: RowCounts = field(default_factory=RowCounts)


class SourcePlugin(ABC, Generic[Config]):
    """One source of usage or audit data."""

    name: ClassVar[str]
    version: ClassVar[str]
    configuration: ClassVar[type[BaseModel]]
    tables: ClassVar[Sequence[RawTable]] = ()
    """The raw tables that the models of this source read."""
    event_types: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """The CloudEvents types that may be pushed, each with the JSON Schema of its ``data``."""

    def __init__(self, config: Config, context: LoadContext) -> None:
        """Take the checked configuration and the run to load for; read nothing yet."""
        self.config = config
        self.context = context
        self.is_complete = True

    @abstractmethod
    def fetch(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterable["DltResource"]:
        """Return what is new as dlt resources, within ``[since, until)`` where these are given.

        No resource means that nothing is new. Each row carries ``load_id`` from the context; rows
        that cannot be used go to a resource named ``quarantine``.

        A long history is loaded in several packages, so that a kill costs one of them: set
        ``is_complete`` to False after a part, and a new plugin is asked for the next one once the
        part is in the raw schema, which says where to go on. A part without rows is the last.
        """

    def handle_events(self, events: pa.Table) -> Iterable["DltResource"]:
        """Return the rows of pushed events of its ``event_types`` as resources, like `fetch`.

        ``events`` has event_source, event_id, event_type, subject, data (JSON text) as text and
        event_at (null where the sender named no time), received_at as UTC timestamps. The same
        event may come more than once.
        """
        raise MindweaveError(f"source {self.name} takes no events: it is read by `mindweave load`")


def installed_plugins() -> dict[str, type[SourcePlugin[Any]]]:
    """Return the installed plugins by name; one that cannot be imported is left out."""
    plugins = {}
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        # a broken package of somebody else's must not take the other sources with it
        with suppress(Exception):
            plugins[entry.name] = entry.load()
    return plugins


def find_plugin(name: str) -> type[SourcePlugin[Any]]:
    """Return the plugin called ``name``.

    Raises UsageError naming the installed ones, MindweaveError where it cannot be imported.
    """
    entries = {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    if name not in entries:
        raise UsageError(f"unknown source {name!r}; installed: {', '.join(sorted(entries))}")
    try:
        plugin: type[SourcePlugin[Any]] = entries[name].load()
    except Exception as error:
        raise MindweaveError(
            f"source {name} cannot be imported ({type(error).__name__}: {error}): "
            "install its package again, or remove it"
        ) from error
    return plugin
