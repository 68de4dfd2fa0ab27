"""OpenAI's organization API: usage, costs, audited events and who there is.

/organization/usage/*           ->  openai_admin_usage       one row a group of a bucket
/organization/costs             ->  openai_admin_costs       one row a group of a day
/organization/audit_logs        ->  openai_admin_audit_logs  one row an event
/organization/projects          ->  openai_admin_projects
/organization/users             ->  openai_admin_users
…/projects/{id}/users           ->  openai_admin_project_users
…/projects/{id}/service_accounts -> openai_admin_service_accounts
…/projects/{id}/api_keys, /organization/admin_api_keys  ->  openai_admin_api_keys
                                    openai_admin_windows     how far each report was read

A day of a report that changed lands again as a whole; so does a user, key, project that changed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dlt_pipelines.landing import OF_COMPLETE_LOADS, RawTable
from dlt_pipelines.observed_rows import (
    ApiRecord,
    ObservedRows,
    changed_buckets,
    changed_entities,
    landed,
)
from dlt_pipelines.plugin import LoadContext, SourcePlugin
from dlt_pipelines.rest import HttpStatusError
from dlt_pipelines.sources.openai_admin import tables
from dlt_pipelines.sources.openai_admin.client import ListParameters, OpenaiClient
from dlt_pipelines.sources.openai_admin.records import (
    USAGE_RESULTS,
    ApiKey,
    AuditEvent,
    Bucket,
    CostResult,
    Member,
    Project,
    ServiceAccount,
    UsageResult,
)
from dlt_pipelines.sources.openai_admin.rows import Row, Rows

if TYPE_CHECKING:
    from dlt.extract import DltResource

ONE_DAY = timedelta(days=1)
# so that a window's rows fit in memory
WINDOW_DAYS = {"1d": 31, "1h": 7, "1m": 1}
HISTORY_DAYS = 90

UsageDimension = Literal[
    "project_id", "user_id", "api_key_id", "model", "batch", "service_tier", "api_source"
]
ReportName = Annotated[str, Field(pattern=r"^[a-z_]+$")]
CostDimension = Literal["project_id", "line_item", "api_key_id", "user_id", "api_source"]


class OpenaiAdminConfig(BaseModel):
    """Configuration of the source openai_admin."""

    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr = Field(description="An admin key (sk-admin-…), made by an owner.")
    base_url: str = Field("https://api.openai.com/v1", description="Where the API is.")
    organization_id: str | None = Field(
        None,
        pattern=r"^[\w-]+$",
        description="The organization that the key is of, as a label on every row.",
    )
    start_date: date | None = Field(
        None, description=f"The first day to read. Default: {HISTORY_DAYS} days before the first."
    )
    usage_reports: list[ReportName] = Field(
        default=[
            *("completions", "embeddings", "moderations", "images", "audio_speeches"),
            *("audio_transcriptions", "vector_stores", "code_interpreter_sessions"),
            *("file_search_calls", "web_search_calls"),
        ],
        description="The usage reports to read: the last part of their path.",
    )
    bucket_width: Literal["1d", "1h", "1m"] = Field("1d", description="Of the usage reports.")
    usage_group_by: list[UsageDimension] = Field(
        default=["project_id", "user_id", "api_key_id", "model", "batch", "service_tier"],
        description="What the report on completions is grouped by.",
    )
    group_by_of_reports: dict[str, list[UsageDimension]] = Field(
        default={
            "file_search_calls": ["project_id", "user_id", "api_key_id"],
            "vector_stores": ["project_id"],
            "code_interpreter_sessions": ["project_id"],
        },
        description="The same for other usage reports, by their names; those without an entry are "
        "grouped by what they have of usage_group_by: project, user, key and model.",
    )
    costs: bool = Field(True, description="Read the costs.")
    cost_group_by: list[CostDimension] = Field(
        default=["project_id", "line_item", "api_key_id"],
        description="What the costs are grouped by; without line_item no cost has a model.",
    )
    audit_logs: bool = Field(True, description="Read the audit log, which an owner switches on.")
    tenant_events: bool = Field(False, description="Ask for events of the tenant alone.")
    identities: bool = Field(True, description="Read projects, users, keys, service accounts.")
    archived_projects: bool = Field(True, description="Ask for archived projects, too.")
    corrected_days: int = Field(
        3, ge=0, le=60, description="How many days back the vendor still corrects: read again."
    )
    window_days: int | None = Field(
        None, ge=1, description="Days of history a load. Default: 31, 7 or 1, by bucket_width."
    )
    list_parameters: ListParameters = Field(
        "brackets", description="How lists are sent: group_by[]=a or group_by=a."
    )


@dataclass(frozen=True)
class Report:
    """One report as it is asked for."""

    name: str
    width: str
    group_by: Sequence[str] = ()
    endpoint: str = ""

    @property
    def group_by_text(self) -> str:
        """The grouping as it is recorded."""
        return ",".join(self.group_by)


@dataclass(frozen=True)
class Window:
    """Days of a report: ``end`` is None for those up to now."""

    start: datetime
    end: datetime | None
    settled_until: datetime


class OpenaiAdminPlugin(SourcePlugin[OpenaiAdminConfig]):
    """Read what an OpenAI organization used, paid and did, and who is in it."""

    name = "openai_admin"
    version = "1.0.0"
    configuration = OpenaiAdminConfig
    tables = tables.ALL

    def __init__(self, config: OpenaiAdminConfig, context: LoadContext) -> None:
        """Take the checked configuration and the run to load for; read nothing yet."""
        super().__init__(config, context)
        self._rows = ObservedRows(context, self.name, tables.ALL)
        self._make = Rows(context.key, config.organization_id)
        self._today = datetime.combine(context.now.date(), time())

    def fetch(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterable["DltResource"]:
        """Return one window of every report that has history left, else all that is new.

        ``since`` and ``until`` name whole UTC days to read instead. Raises as `Api` does, and for
        a grouping that a report does not have.
        """
        config = self.config
        self._client = OpenaiClient(
            config.base_url, config.api_key.get_secret_value(), config.list_parameters
        )
        asked = _whole_days(since, until, self._today) if since or until else None
        settled = self._settled()
        for report in self._reports():
            window = asked or self._window(settled.get((report.name, *_asked_as(report))))
            if report.name == "audit_logs":
                newest = self._read_audit_logs(window)
            else:
                newest = self._read_buckets(report, window)
            if asked is None:
                self._note(report, window, newest)
                self.is_complete &= window.end is None
        if self.is_complete and config.identities:
            self._read_identities()
        return self._rows.resources()

    def _reports(self) -> Iterator[Report]:
        config = self.config
        for endpoint in config.usage_reports:
            grouped = config.group_by_of_reports.get(endpoint)
            if grouped is None:
                grouped = list(config.usage_group_by)
                if endpoint != "completions":
                    grouped = [name for name in grouped if name not in ("batch", "service_tier")]
            yield Report(f"usage_{endpoint}", config.bucket_width, grouped, endpoint)
        if config.costs:
            yield Report("costs", "1d", config.cost_group_by)
        if config.audit_logs:
            yield Report("audit_logs", "")

    # windows

    def _window(self, settled: datetime | None) -> Window:
        """Return the days to read next: from where the vendor may still have corrected them."""
        config = self.config
        still_corrected = self._today - timedelta(days=config.corrected_days)
        first = self._today - timedelta(days=HISTORY_DAYS)
        if config.start_date:
            first = min(datetime.combine(config.start_date, time()), self._today)
        # a clock that was ahead must not leave days out
        start = first if settled is None else min(settled, still_corrected)
        days = config.window_days or WINDOW_DAYS[config.bucket_width]
        end = start + timedelta(days=days)
        if end < still_corrected:
            return Window(start, end, end)
        return Window(start, None, max(start, still_corrected))

    def _settled(self) -> dict[tuple[str, str, str], datetime]:
        """Return up to when each report was read with its days final, as it is asked for now."""
        rows = landed(
            self.context,
            f"""
            select report, bucket_width, group_by, max(settled_until_at) as settled_until_at
            from {{raw}}.openai_admin_windows as landed
            {OF_COMPLETE_LOADS}
            where {self._of_organization("landed")}
            group by report, bucket_width, group_by
            """,
        )
        return {
            (row["report"], row["bucket_width"] or "", row["group_by"] or ""): row[
                "settled_until_at"
            ]
            for row in rows
        }

    def _note(self, report: Report, window: Window, newest: datetime | None) -> None:
        settled = window.settled_until
        if window.end is None:
            # what the vendor has may end before, where the clock is ahead or nothing was used
            told_until = datetime.combine(newest.date(), time()) if newest else window.start
            settled = min(settled, told_until)
            if settled <= window.start:
                return
        self._rows.add(
            tables.WINDOWS,
            [
                {
                    "org_id": self.config.organization_id,
                    "report": report.name,
                    "bucket_width": report.width,
                    "group_by": report.group_by_text,
                    "window_start_at": window.start,
                    "window_end_at": window.end,
                    "settled_until_at": settled,
                }
            ],
        )

    # reports

    def _read_buckets(self, report: Report, window: Window) -> datetime | None:
        """Read one window of a report; return the end of its last bucket."""
        table, pages, model = self._source_of(report, window)
        days: dict[tuple[str, str], dict[datetime, list[Row]]] = {}
        newest = None
        for page in pages:
            for bucket in self._rows.parse(Bucket, page, report.name):
                newest = max(newest or bucket.end_time, bucket.end_time)
                shared: Row = {
                    "report": report.name,
                    "bucket_start_at": bucket.start_time,
                    "bucket_end_at": bucket.end_time,
                    "group_by": report.group_by_text,
                }
                if report.endpoint:
                    shared["bucket_width"] = report.width
                found = [
                    {**self._row(result), **shared}
                    for result in self._rows.parse(model, bucket.results, report.name)
                ]
                key = (report.name, self._bucket_key(bucket.start_time))
                # a bucket that is told twice counts once
                days.setdefault(key, {})[bucket.start_time] = found
        buckets = {key: [*_joined(found.values())] for key, found in days.items()}
        changed = changed_buckets(
            self.context,
            buckets,
            table,
            ("report", "bucket_key"),
            where=self._landed_within(report.name, window),
            note_unchanged=self._rows.ignore,
        )
        self._rows.add(table, map(self._with_place, changed))
        return newest

    def _source_of(
        self, report: Report, window: Window
    ) -> tuple[RawTable, Iterator[list[Any]], type[UsageResult] | type[CostResult]]:
        client, start, end = self._client, window.start, window.end
        if report.endpoint:
            pages = client.usage(report.endpoint, report.width, report.group_by, start, end)
            return tables.USAGE, pages, USAGE_RESULTS.get(report.endpoint, UsageResult)
        return tables.COSTS, client.costs(report.group_by, start, end), CostResult

    def _row(self, result: UsageResult | CostResult) -> Row:
        if isinstance(result, CostResult):
            return self._make.cost(result)
        return self._make.usage(result)

    def _bucket_key(self, start: datetime) -> str:
        """Return the day, whatever the width and grouping: what was read last supersedes."""
        organization = self.config.organization_id
        return f"{organization}/{start:%Y-%m-%d}" if organization else f"{start:%Y-%m-%d}"

    def _landed_within(self, report: str, window: Window) -> str:
        condition = (
            f"landed.report = '{report}' and {self._of_organization('landed')} "
            f"and landed.bucket_key >= '{self._bucket_key(window.start)}'"
        )
        if window.end:
            condition += f" and landed.bucket_key < '{self._bucket_key(window.end)}'"
        return condition

    def _of_organization(self, relation: str) -> str:
        organization = self.config.organization_id
        if organization is None:
            return f"{relation}.org_id is null"
        return f"{relation}.org_id = '{organization}'"

    def _with_place(self, row: Row) -> Row:
        """Complete the one row of a day that became empty."""
        if not row["is_empty"]:
            return row
        day = datetime.fromisoformat(row["bucket_key"].rpartition("/")[2])
        return {
            **row,
            "org_id": self.config.organization_id,
            "bucket_start_at": day,
            "bucket_end_at": day + ONE_DAY,
        }

    def _read_audit_logs(self, window: Window) -> datetime | None:
        """Read the events of a window, newest first, down to a page of known ones."""
        known = {
            row["event_id"]
            for row in landed(
                self.context,
                f"select event_id from {{raw}}.openai_admin_audit_logs "
                f"where occurred_at >= cast('{window.start:%Y-%m-%d %H:%M:%S}' as timestamp)",
            )
        }
        newest = None
        for page in self._client.audit_logs(window.start, window.end, self.config.tenant_events):
            events = [*self._rows.parse(AuditEvent, map(AuditEvent.named, page), "audit_logs")]
            new = {event.id: event for event in events if event.id not in known}
            newest = max([time for time in (newest, *_times(events)) if time], default=None)
            self._rows.ignore(len(events) - len(new))
            self._rows.add(tables.AUDIT_LOGS, map(self._make.audit_event, new.values()))
            known |= new.keys()
            if page and not new and len(events) == len(page):
                break
        return newest

    # who there is

    def _read_identities(self) -> None:
        client, make = self._client, self._make
        archived = {"include_archived": "true"} if self.config.archived_projects else {}
        projects = self._entities(
            tables.PROJECTS,
            ("project_id",),
            [(client.objects("/organization/projects", archived), Project, make.project, {})],
        )
        self._entities(
            tables.USERS,
            ("user_id",),
            [(client.objects("/organization/users"), Member, make.member, {})],
        )
        active = [row["project_id"] for row in projects if row["status"] != "archived"]

        def lists(
            path: str, model: type[ApiRecord], row: Callable[[Any], Row]
        ) -> "list[EntityList]":
            return [
                (
                    _unless_gone(client.objects(f"/organization/projects/{project}/{path}")),
                    model,
                    row,
                    {"project_id": project},
                )
                for project in active
            ]

        self._entities(
            tables.PROJECT_USERS, ("project_id", "user_id"), lists("users", Member, make.member)
        )
        self._entities(
            tables.SERVICE_ACCOUNTS,
            ("service_account_id",),
            lists("service_accounts", ServiceAccount, make.service_account),
        )
        admin_keys = client.objects("/organization/admin_api_keys")
        self._entities(
            tables.API_KEYS,
            ("api_key_id",),
            [
                *lists("api_keys", ApiKey, make.api_key),
                (admin_keys, ApiKey, make.api_key, {"key_kind": "admin"}),
            ],
        )

    def _entities(
        self, table: RawTable, key_columns: tuple[str, ...], lists: "Sequence[EntityList]"
    ) -> list[Row]:
        """Land what changed in some lists, which are everything there is; return all of it."""
        rows: list[Row] = []
        told = 0
        for pages, model, as_row, shared in lists:
            for page in pages:
                told += len(page)
                for record in self._rows.parse(model, page, table.name):
                    rows.append({**as_row(record), **shared})
        changed = changed_entities(
            self.context,
            rows,
            table,
            key_columns,
            # who is in quarantine is not gone
            is_complete=len(rows) == told,
            where=self._of_organization("landed"),
            note_unchanged=self._rows.ignore,
        )
        organization = {"org_id": self.config.organization_id}
        self._rows.add(table, ({**row, **organization} for row in changed))
        return rows


EntityList = tuple[
    Iterator[list[Any]], type[ApiRecord], Callable[[Any], Row], Mapping[str, str | None]
]


def _asked_as(report: Report) -> tuple[str, str]:
    return report.width, report.group_by_text


def _joined(lists: Iterable[list[Row]]) -> Iterator[Row]:
    for rows in lists:
        yield from rows


def _times(events: Iterable[AuditEvent]) -> list[datetime]:
    return [event.effective_at for event in events]


def _whole_days(since: datetime | None, until: datetime | None, today: datetime) -> Window:
    first = today - timedelta(days=HISTORY_DAYS)
    start = datetime.combine(_in_utc(since).date(), time()) if since else first
    end = datetime.combine(_in_utc(until).date(), time()) if until else None
    return Window(start, end, start)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment


def _unless_gone(pages: Iterator[list[Any]]) -> Iterator[list[Any]]:
    """Yield the pages of a list, none of a project that was archived meanwhile."""
    try:
        yield from pages
    except HttpStatusError as error:
        if error.status != 404:
            raise
