"""Anthropic's Admin API: what it says was used, what it cost, and who is who.

GET /v1/organizations/analytics/usage             ->  anthropic_admin_usage
    /v1/organizations/usage_report/messages           the same, where the newer one is refused
GET /v1/organizations/analytics/cost              ->  anthropic_admin_costs
    /v1/organizations/cost_report                     the same, where the newer one is refused
GET /v1/organizations/usage_report/claude_code    ->  anthropic_admin_claude_code_usage, …_activity
GET /v1/organizations/users                       ->  anthropic_admin_users
GET /v1/organizations/workspaces                  ->  anthropic_admin_workspaces
GET /v1/organizations/workspaces/{id}/members     ->  anthropic_admin_workspace_members
GET /v1/organizations/api_keys                    ->  anthropic_admin_api_keys
GET /v1/organizations/service_accounts            ->  anthropic_admin_service_accounts

A bucket is a UTC day of one report. Its rows land together, and again only when one of them has
changed, so reading what the vendor still corrects in every run writes nothing new by itself.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from dlt_pipelines.errors import MindweaveError
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
from dlt_pipelines.sources.anthropic_admin import records, tables
from dlt_pipelines.sources.anthropic_admin.client import AdminApi
from dlt_pipelines.sources.anthropic_admin.config import AnthropicAdminConfig
from dlt_pipelines.sources.anthropic_admin.rows import (
    DEFAULT_WORKSPACE,
    Row,
    analytics_row,
    api_key_row,
    classic_cost_row,
    classic_usage_row,
    claude_code_rows,
    member_row,
    user_row,
    workspace_row,
)

if TYPE_CHECKING:
    from dlt.extract import DltResource

DAY = timedelta(days=1)
ANALYTICS_BEGIN = date(2026, 1, 1)
ANALYTICS_DAYS = 364
REFRESHED = 410
REFRESHED_ATTEMPTS = 5
NOT_FOR_US = (403, 404)

Record = TypeVar("Record", bound=ApiRecord)


@dataclass
class Days:
    """What a report says of some days: rows by table and day."""

    rows: dict[str, dict[date, list[Row]]]
    refreshed_at: datetime | None = None

    def are_whole(self, day: date) -> bool:
        """Tell whether the report was refreshed after the end of ``day``."""
        return self.refreshed_at is not None and self.refreshed_at >= _midnight(day + DAY)


@dataclass(frozen=True)
class Plan:
    """The days to read, as half-open periods."""

    periods: Sequence[tuple[date, date]]
    is_last: bool = True
    read_until: date | None = None
    """What is before is read for good, once this has landed."""


@dataclass(frozen=True)
class Report:
    """One report of one endpoint, as it is asked for."""

    name: str
    endpoint: str
    bucket_width: str
    group_by: Sequence[str]
    correction_days: int
    tables: Sequence[RawTable]
    begins: date
    read: Callable[["Report", datetime, datetime], Days]

    def columns(self) -> Row:
        """Return the columns that tell how the report was asked for."""
        return {
            "report": self.name,
            "endpoint": self.endpoint,
            "bucket_width": self.bucket_width,
            "group_by": ",".join(sorted(self.group_by)),
        }


class AnthropicAdminPlugin(SourcePlugin[AnthropicAdminConfig]):
    """Read usage, cost and identities of one Anthropic organization."""

    name = "anthropic_admin"
    version = "1.0.0"
    configuration = AnthropicAdminConfig
    tables = tables.ALL

    def __init__(self, config: AnthropicAdminConfig, context: LoadContext) -> None:
        """Prepare; send nothing yet."""
        super().__init__(config, context)
        self._rows = ObservedRows(context, self.name, tables.ALL)
        self._api = AdminApi(config.base_url, _login(config))
        self._org_id: str | None = None

    def fetch(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterable["DltResource"]:
        """Return what is new or has changed; ``since`` and ``until`` go by the day of usage.

        Raises MindweaveError where the vendor refuses or cannot be understood.
        """
        self._org_id = self._organization()
        # the one with the shortest time of correction, so the longest history, says what is last
        for name in ("claude_code", "usage", "cost"):
            if name in self.config.reads:
                self._read_report(self._reports(name), since, until)
        if self.is_complete:
            self._read_entities()
        return self._rows.resources()

    def _organization(self) -> str:
        given = self.config.organization_id
        org_id = given or _checked(records.Organization, self._api.organization(), "me").id
        if not re.fullmatch(r"[A-Za-z0-9_-]+", org_id):
            raise MindweaveError("source anthropic_admin: the organization's id is not an id")
        return org_id

    # reports

    def _reports(self, name: str) -> list[Report]:
        """Return how to ask for a report, the newest way first."""
        config = self.config
        today = self.context.now.date()
        begins = today - DAY * config.history_days
        if name == "claude_code":
            return [
                Report(
                    name=name,
                    endpoint="usage_report/claude_code",
                    bucket_width="1d",
                    # not asked for: what its records are by
                    group_by=("actor", "customer_type", "model", "terminal_type"),
                    correction_days=config.claude_code_correction_days,
                    tables=(tables.CLAUDE_CODE_USAGE, tables.CLAUDE_CODE_ACTIVITY),
                    begins=begins,
                    read=self._claude_code,
                )
            ]
        is_usage = name == "usage"
        table = tables.USAGE if is_usage else tables.COSTS
        analytics = Report(
            name=name,
            endpoint=f"analytics/{name}",
            bucket_width=config.bucket_width if is_usage else "1d",
            group_by=config.usage_group_by if is_usage else config.cost_group_by,
            correction_days=config.correction_days,
            tables=(table,),
            begins=max(begins, today - DAY * ANALYTICS_DAYS, ANALYTICS_BEGIN),
            read=self._analytics,
        )
        classic = Report(
            name=name,
            endpoint="usage_report/messages" if is_usage else "cost_report",
            bucket_width=config.bucket_width if is_usage else "1d",
            group_by=(config.classic_usage_group_by if is_usage else config.classic_cost_group_by),
            correction_days=config.correction_days,
            tables=(table,),
            begins=begins,
            read=self._classic_usage if is_usage else self._classic_cost,
        )
        ways = {"auto": [analytics, classic], "analytics": [analytics], "classic": [classic]}
        return ways[config.reports]

    def _read_report(
        self, ways: Sequence[Report], since: datetime | None, until: datetime | None
    ) -> None:
        """Read the report in the first of its ways that the vendor does not refuse."""
        for report, other_way in zip(ways, [*ways[1:], None], strict=True):
            plan = self._plan(report, since, until)
            if plan.is_last and not self.is_complete:
                return  # another report is still far behind: this one's turn is the last package
            try:
                first = [self._read_days(report, *period) for period in plan.periods[:1]]
            except HttpStatusError as error:
                # only the first question may be asked otherwise: a day is told by one report
                if error.status in NOT_FOR_US and other_way:
                    continue
                raise
            for number, period in enumerate(plan.periods):
                days = first.pop() if number == 0 else self._read_days(report, *period)
                self._land(report, *period, days)
            if plan.read_until:
                row = {"org_id": self._org_id, **report.columns()}
                self._rows.add(
                    tables.PROGRESS, [{**row, "read_until_at": _midnight(plan.read_until)}]
                )
            self.is_complete = self.is_complete and plan.is_last
            return

    def _plan(self, report: Report, since: datetime | None, until: datetime | None) -> Plan:
        """Return which days to read.

        Those that the vendor corrects no more are read once; how far that is lands with them. Far
        behind, only the oldest window is read, and this package is not the last.
        """
        today, window = self.context.now.date(), DAY * self.config.window_days
        # minutes are told for a day at most; and what is read at once is held at once
        step = DAY if report.bucket_width == "1m" else window
        end = _day_after(self.context.now)
        if since or until:
            start = since.date() if since else report.begins
            return Plan(_periods(start, min(_day_after(until), end) if until else end, step))
        correctable_from = max(today - DAY * report.correction_days, report.begins)
        start = max(self._read_until(report) or report.begins, report.begins)
        start = min(start, correctable_from)
        if correctable_from - start > window:
            return Plan(
                _periods(start, start + window, step), is_last=False, read_until=start + window
            )
        # kept by the window and not by the day: a run on another day writes nothing for that alone
        is_window_done = correctable_from - start == window
        return Plan(
            _periods(start, end, step),
            read_until=correctable_from if is_window_done else None,
        )

    def _read_until(self, report: Report) -> date | None:
        asked = " and ".join(f"{name} = '{value}'" for name, value in report.columns().items())
        rows = landed(
            self.context,
            f"""
            select landed.read_until_at as read_until_at
            from {{raw}}.{tables.PROGRESS.name} as landed
            {OF_COMPLETE_LOADS}
            where landed.org_id = '{self._org_id}' and {asked}
            """,
        )
        return max((row["read_until_at"].date() for row in rows), default=None)

    def _read_days(self, report: Report, start: date, end: date) -> Days:
        """Return the rows of ``[start, end)``; ask again where the data was refreshed meanwhile."""
        until = min(_midnight(end), self.context.now)
        for attempt in range(1, REFRESHED_ATTEMPTS + 1):
            try:
                return report.read(report, _midnight(start), until)
            except HttpStatusError as error:
                if error.status != REFRESHED or attempt == REFRESHED_ATTEMPTS:
                    raise
        raise AssertionError("an attempt returns or raises")

    def _land(self, report: Report, start: date, end: date, days: Days) -> None:
        """Land the days of ``[start, end)`` that are not what landed last."""
        where = (
            f"landed.org_id = '{self._org_id}' and landed.report = '{report.name}' "
            f"and landed.bucket_key >= '{start}' and landed.bucket_key < '{end}'"
        )
        asked = [start + DAY * number for number in range((end - start).days)]
        for table in report.tables:
            rows = days.rows.get(table.name, {})
            # a day that is known to be whole is news, even with the same figures; each row is held
            # once
            by_day = {
                (day.isoformat(),): [
                    {**report.columns(), **row, "is_whole": days.are_whole(day)}
                    for row in rows.pop(day, [])
                ]
                for day in asked
            }
            for row in changed_buckets(
                self.context,
                by_day,
                table,
                ["bucket_key"],
                where=where,
                note_unchanged=self._rows.ignore,
            ):
                day = date.fromisoformat(row["bucket_key"])
                bucket = {
                    **report.columns(),
                    "org_id": self._org_id,
                    "bucket_start_at": _midnight(day),
                    "bucket_end_at": _midnight(day + DAY),
                    "data_refreshed_at": days.refreshed_at,
                }
                told = bucket | row
                self._rows.add(table, [{name: told.get(name) for name in table.columns}])

    def _analytics(self, report: Report, start: datetime, end: datetime) -> Days:
        model: type[records.AnalyticsRow] = (
            records.AnalyticsUsage if report.name == "usage" else records.AnalyticsCost
        )
        found: dict[str, Row] = {}
        refreshed: datetime | None = None
        for page in self._api.analytics(
            report.name, start, end, report.bucket_width, report.group_by
        ):
            fresh = _checked(records.Freshness, page, report.endpoint)
            refreshed = fresh.data_refreshed_at or refreshed
            for record in self._rows.parse(model, _data(page, report.endpoint), report.endpoint):
                row = analytics_row(record, report.bucket_width, self.context.key)
                # a group of one interval is told once: where it comes again, it is the same
                group = record.group.model_dump(mode="json")
                place = json.dumps([str(record.starting_at), group], sort_keys=True)
                if place in found:
                    self._rows.ignore(1)
                found[place] = row
        return Days({report.tables[0].name: _by_day(found.values())}, refreshed)

    def _classic_usage(self, report: Report, start: datetime, end: datetime) -> Days:
        pages = self._api.classic_usage(start, end, report.bucket_width, report.group_by)

        def row(bucket: records.Bucket, record: records.ClassicUsage) -> Row:
            workspace = self._default_workspace(report)
            width, key = report.bucket_width, self.context.key
            return classic_usage_row(record, bucket.starting_at, width, workspace, key)

        return self._classic(report, pages, records.ClassicUsage, row)

    def _classic_cost(self, report: Report, start: datetime, end: datetime) -> Days:
        pages = self._api.classic_cost(start, end, report.group_by)

        def row(bucket: records.Bucket, record: records.ClassicCost) -> Row:
            return classic_cost_row(record, bucket.starting_at, self._default_workspace(report))

        return self._classic(report, pages, records.ClassicCost, row)

    def _classic(
        self,
        report: Report,
        pages: Iterable[dict[str, Any]],
        model: type[Record],
        row: Callable[[records.Bucket, Record], Row],
    ) -> Days:
        # a bucket is on one page: where it comes again, it is the same
        buckets: dict[datetime, list[Row]] = {}
        for page in pages:
            items = _data(page, report.endpoint)
            for bucket in self._rows.parse(records.Bucket, items, report.endpoint):
                results = self._rows.parse(model, bucket.results, report.endpoint)
                self._rows.ignore(len(buckets.get(bucket.starting_at, [])))
                buckets[bucket.starting_at] = [row(bucket, result) for result in results]
        found = (row for rows in buckets.values() for row in rows)
        return Days({report.tables[0].name: _by_day(found)})

    def _default_workspace(self, report: Report) -> str | None:
        """Return what null means: nothing where the report is not grouped by workspace."""
        return self.config.default_workspace_id if "workspace_id" in report.group_by else None

    def _claude_code(self, report: Report, start: datetime, end: datetime) -> Days:
        usage: list[Row] = []
        activity: list[Row] = []
        while start < end:
            for page in self._api.claude_code(start.date()):
                items = _data(page, report.endpoint)
                for record in self._rows.parse(records.ClaudeCodeRecord, items, report.endpoint):
                    models, actor = claude_code_rows(record, self.context.key)
                    usage.extend(models)
                    activity.append(actor)
            start += DAY
        return Days(
            {
                tables.CLAUDE_CODE_USAGE.name: _by_day(usage),
                tables.CLAUDE_CODE_ACTIVITY.name: _by_day(activity),
            }
        )

    # who is who

    def _read_entities(self) -> None:
        key, reads = self.context.key, self.config.reads
        people: dict[str, str] = {}
        personal: set[str] = set()
        if "users" in reads:
            users, is_complete = self._entities(records.User, "users")
            rows = [user_row(user, key) for user in users]
            people = {user.id: row["person_id"] for user, row in zip(users, rows, strict=True)}
            self._land_entities(tables.USERS, rows, ["user_id"], is_complete)
        if "workspaces" in reads:
            personal = self._read_workspaces()
        if "api_keys" in reads:
            default = self.config.default_workspace_id or DEFAULT_WORKSPACE
            keys, is_complete = self._entities(records.ApiKey, "api_keys")
            rows = [api_key_row(each, default, people, personal, key) for each in keys]
            self._land_entities(tables.API_KEYS, rows, ["api_key_id"], is_complete)
        if "service_accounts" in reads:
            accounts, is_complete = self._entities(records.ServiceAccount, "service_accounts")
            rows = [
                {
                    "service_account_id": account.id,
                    "created_at": account.created_at,
                    "unknown_fields": account.unknown_fields(),
                }
                for account in accounts
            ]
            self._land_entities(tables.SERVICE_ACCOUNTS, rows, ["service_account_id"], is_complete)

    def _read_workspaces(self) -> set[str]:
        """Land workspaces and their members; return the ids of those with personal keys."""
        parameters = {"include_archived": "true"}
        if self.config.include_default_workspace:
            parameters["include_default"] = "true"
        workspaces, is_complete = self._entities(records.Workspace, "workspaces", **parameters)
        rows = [workspace_row(workspace, self.config.team_tag) for workspace in workspaces]
        self._land_entities(tables.WORKSPACES, rows, ["workspace_id"], is_complete)
        members: list[Row] = []
        for workspace in workspaces:
            if workspace.archived_at:
                continue
            found, is_whole = self._entities(
                records.WorkspaceMember, f"workspaces/{workspace.id}/members"
            )
            members.extend(member_row(member, self.context.key) for member in found)
            is_complete = is_complete and is_whole
        self._land_entities(
            tables.WORKSPACE_MEMBERS, members, ["workspace_id", "user_id"], is_complete
        )
        names = set(self.config.personal_key_workspaces)
        return {workspace.id for workspace in workspaces if workspace.name in names}

    def _entities(
        self, model: type[Record], path: str, **parameters: Any
    ) -> tuple[list[Record], bool]:
        """Return a list's records, and whether all of them could be used."""
        found: list[Record] = []
        told = 0
        for page in self._api.entities(path, **parameters):
            items = _data(page, path)
            told += len(items)
            found.extend(self._rows.parse(model, items, path))
        return found, len(found) == told

    def _land_entities(
        self, table: RawTable, rows: list[Row], ids: list[str], is_complete: bool
    ) -> None:
        self._rows.add(
            table,
            changed_entities(
                self.context,
                [{"org_id": self._org_id, **row} for row in rows],
                table,
                ["org_id", *ids],
                is_complete=is_complete,
                where=f"landed.org_id = '{self._org_id}'",
                note_unchanged=self._rows.ignore,
            ),
        )


def _login(config: AnthropicAdminConfig) -> Mapping[str, str]:
    if config.oauth_token:
        return {"Authorization": f"Bearer {config.oauth_token.get_secret_value()}"}
    if config.api_key:
        return {"x-api-key": config.api_key.get_secret_value()}
    return {}


def _checked(model: type[Record], page: Mapping[str, Any], endpoint: str) -> Record:
    try:
        return model.model_validate(page)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise MindweaveError(
            f"source anthropic_admin: {endpoint} answered with a wrong {field}"
        ) from None


def _data(page: Mapping[str, Any], endpoint: str) -> list[Any]:
    data = page.get("data")
    if not isinstance(data, list):
        raise MindweaveError(f"source anthropic_admin: {endpoint} answered without a list `data`")
    return data


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time())


def _by_day(rows: Iterable[Row]) -> dict[date, list[Row]]:
    by_day: dict[date, list[Row]] = defaultdict(list)
    for row in rows:
        by_day[row["bucket_start_at"].date()].append(row)
    return by_day


def _periods(start: date, end: date, step: timedelta) -> list[tuple[date, date]]:
    count = max(0, -((start - end) // step))
    return [(start + step * n, min(start + step * (n + 1), end)) for n in range(count)]


def _day_after(until: datetime) -> date:
    """Return the first day that has nothing before ``until``."""
    is_midnight = until == _midnight(until.date())
    return until.date() if is_midnight else until.date() + DAY
