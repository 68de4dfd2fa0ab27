"""Events that were pushed: CloudEvents and telemetry, from the store where they wait.

every event             ->  events          one row an event received, as it was received
com.mindweave.mcp.call  ->  events_calls    one row an event: a call, and the MCP tool it used
                            events_drained  how far the store was read

Nothing is fetched: `mindweave drain`, the first step of every load, lands what waits. An event that
is drained twice is two rows here and one in the marts. See README.md.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from dlt_pipelines.plugin import SourcePlugin
from dlt_pipelines.sources.events import tables
from dlt_pipelines.sources.events.schema import CALL, CALL_SCHEMA

if TYPE_CHECKING:
    from dlt.extract import DltResource


class EventsConfig(BaseModel):
    """Configuration of the source events: where they wait is told by MINDWEAVE_EVENT_STORE."""

    model_config = ConfigDict(extra="forbid")


class EventsPlugin(SourcePlugin[EventsConfig]):
    """Take calls that their makers report as events."""

    name = "events"
    version = "1.0.0"
    configuration = EventsConfig
    tables = tables.ALL
    event_types = {CALL: CALL_SCHEMA}

    def fetch(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterable["DltResource"]:
        """Return nothing: what was pushed is drained before any source is read."""
        return []
