"""LiteLLM: what its gateway logged of every call, from its database or from its API.

LiteLLM_SpendLogs or GET /spend/logs/v2  ->  litellm_spend_logs   one row a model call
                                             litellm_tool_calls   one row a call of an MCP tool
                                             litellm_call_types   how many records of which type
LiteLLM_VerificationToken                ->  litellm_keys         (database only, as the next two)
LiteLLM_UserTable, LiteLLM_TeamTable     ->  litellm_users, litellm_teams
LiteLLM_AuditLog                         ->  litellm_audit_logs

What was written lately is read again, and lands again only where it has changed. Both ways give the
same rows. Prompts, answers and what is said of people stay where they are: see README.md.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from dlt_pipelines.landing import CONTENT_FINGERPRINTS, OF_COMPLETE_LOADS
from dlt_pipelines.observed_rows import ObservedRows
from dlt_pipelines.plugin import SourcePlugin
from dlt_pipelines.sources.litellm import identities, tables
from dlt_pipelines.sources.litellm.client import PATH, SpendLogApi
from dlt_pipelines.sources.litellm.database import KNOWN_COLUMNS, SPEND_LOGS, GatewayDatabase
from dlt_pipelines.sources.litellm.transform import SpendLogRecords

if TYPE_CHECKING:
    from dlt.extract import DltResource

ROWS_PER_PART = 250_000
# with stored prompts a row has any length
BYTES_PER_PART = 512 * 2**20


class LitellmConfig(BaseModel):
    """Configuration of the source litellm: a database, or an API."""

    model_config = ConfigDict(extra="forbid")

    database_url: SecretStr | None = Field(
        None,
        description="The gateway's PostgreSQL, postgresql://user:password@host/database; reading "
        "is enough.",
    )
    database_schema: str = Field("public", description="The schema of the gateway's tables.")
    base_url: str | None = Field(
        None, description="Address of the gateway, where its database cannot be reached."
    )
    api_key: SecretStr | None = Field(
        None, description="The master key or an admin's key; other keys see their own rows only."
    )
    page_size: int = Field(1000, ge=1, le=1000, description="Rows of a page of the API.")
    start_date: datetime = Field(
        datetime(2023, 1, 1), description="The first load by the API begins here."
    )
    overlap_minutes: int = Field(
        360,
        ge=0,
        description="How much is read again: by the database what was written in these minutes "
        "before the newest row, by the API what began in them, so at least the longest call.",
    )
    settle_seconds: int = Field(
        60, ge=0, description="The API is not asked for the newest rows, which are being written."
    )
    rows_per_package: int = Field(
        5_000_000, ge=1, description="A longer history is loaded in parts of so many rows."
    )

    @model_validator(mode="after")
    def _one_way(self) -> "LitellmConfig":
        if self.database_url is None and (self.base_url is None or self.api_key is None):
            raise ValueError("set database_url, or base_url and api_key")
        if self.database_url is not None and self.base_url is not None:
            raise ValueError("set database_url or base_url, not both")
        return self


class LitellmPlugin(SourcePlugin[LitellmConfig]):
    """Read what a LiteLLM gateway logged."""

    name = "litellm"
    version = "1.0.0"
    configuration = LitellmConfig
    tables = tables.ALL

    def fetch(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterable["DltResource"]:
        """Return what is new; ``since`` and ``until`` go by the times that the overlap goes by.

        Raises MindweaveError where the gateway cannot be reached or is none.
        """
        self.context.progress(0, 0)
        overlap = timedelta(minutes=self.config.overlap_minutes)
        if self.config.database_url is not None:
            return self._fetch_database(self.config.database_url, overlap, since, until)
        return self._fetch_api(overlap, since, until)

    def _fetch_database(
        self,
        database_url: SecretStr,
        overlap: timedelta,
        since: datetime | None,
        until: datetime | None,
    ) -> list["DltResource"]:
        context, config = self.context, self.config
        database = GatewayDatabase(database_url.get_secret_value(), config.database_schema)
        with closing(database):
            columns = database.spend_log_columns()
            unknown = ", ".join(sorted({*columns} - KNOWN_COLUMNS)) or None
            bookmark = since or self._newest("written_at")
            known = self._known("written_at", bookmark and bookmark - overlap)
            observed = ObservedRows(context, self.name, (*tables.ALL, CONTENT_FINGERPRINTS))
            records = self._records(observed, SPEND_LOGS, unknown, known)
            while True:
                end = database.part_end(columns, bookmark, config.rows_per_package) or until
                start = bookmark and bookmark - overlap
                self._add(records, database.records(columns, start, end))
                if end is None or end == until:
                    break
                if records.rows_loaded:
                    self.is_complete = False
                    break
                bookmark = end
            records.finish()
            if self.is_complete:
                identities.land_identities(database, context, observed)
                identities.land_audit_log(database, context, observed)
        return observed.resources()

    def _fetch_api(
        self, overlap: timedelta, since: datetime | None, until: datetime | None
    ) -> list["DltResource"]:
        context, config = self.context, self.config
        assert config.base_url is not None and config.api_key is not None  # noqa: S101  as checked
        bookmark = since or self._newest("started_at")
        start = bookmark - overlap if bookmark else config.start_date.replace(tzinfo=None)
        end = until or context.now - timedelta(seconds=config.settle_seconds)
        start, end = start.replace(microsecond=0), end.replace(microsecond=0)
        if start >= end:
            return []
        api = SpendLogApi(config.base_url, config.api_key.get_secret_value(), config.page_size)
        observed = ObservedRows(context, self.name, (*tables.ALL, CONTENT_FINGERPRINTS))
        records = self._records(observed, PATH, None, self._known("started_at", start))
        windows = api.windows(start, end)
        read = 0
        for window in windows:
            records.unknown_fields = ", ".join(sorted(api.unknown_fields)) or None
            self._add(records, iter([window]))
            read += window.num_rows
            if read >= config.rows_per_package and records.rows_loaded:
                self.is_complete = False
                break
        records.finish()
        return observed.resources()

    def _add(self, records: SpendLogRecords, batches: Iterator[pa.RecordBatch]) -> None:
        for first in batches:
            records.add(_part(first, batches))

    def _records(
        self,
        observed: ObservedRows,
        location: str,
        unknown_fields: str | None,
        known: pa.Table | None,
    ) -> SpendLogRecords:
        refused = self.context.read_raw(
            "select reason, row_fingerprint from {raw}.quarantine where source = 'litellm'"
        )
        return SpendLogRecords(self.context, observed, location, unknown_fields, known, refused)

    def _newest(self, column: str) -> datetime | None:
        """Return the newest time that landed, never one in the future: a clock may be wrong."""
        rows = self.context.read_raw(
            f"""
            select max(landed.{column}) as newest
            from (
                select load_id, {column} from {{raw}}.{tables.SPEND_LOGS.name}
                union all
                select load_id, {column} from {{raw}}.{tables.TOOL_CALLS.name}
            ) as landed
            {OF_COMPLETE_LOADS}
            where landed.{column} >= '2020-01-01 00:00:00'
            """
        )
        newest: Any = rows.column("newest")[0].as_py() if rows is not None and len(rows) else None
        # no rows are no time on DuckDB and PostgreSQL, and 1970 on ClickHouse
        if newest is None or newest.year < 2020:
            return None
        utc: datetime = newest.astimezone(UTC).replace(tzinfo=None) if newest.tzinfo else newest
        return min(utc, self.context.now)

    def _known(self, column: str, start: datetime | None) -> pa.Table | None:
        """Return request_id and content_hash of what landed last of each record since ``start``."""
        condition = f"{column} >= '{start}' or {column} is null" if start else "1 = 1"
        return self.context.read_raw(
            f"""
            select request_id, content_hash
            from (
                select
                    landed.request_id,
                    landed.content_hash,
                    row_number() over (
                        partition by landed.request_id
                        order by loads.finished_at desc, loads.load_id desc
                    ) as recency
                from (
                    select load_id, request_id, content_hash
                    from {{raw}}.{tables.SPEND_LOGS.name}
                    where {condition}
                    union all
                    select load_id, request_id, content_hash
                    from {{raw}}.{tables.TOOL_CALLS.name}
                    where {condition}
                ) as landed
                {OF_COMPLETE_LOADS}
            ) as ranked
            where recency = 1
            """
        )


def _part(first: pa.RecordBatch, more: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield batches until there is enough for a part."""
    yield first
    rows, size = first.num_rows, first.nbytes
    while (
        rows < ROWS_PER_PART and size < BYTES_PER_PART and (batch := next(more, None)) is not None
    ):
        yield batch
        rows += batch.num_rows
        size += batch.nbytes
