"""Anthropic's record of who did what: the Activity Feed, and the audit log as a CSV export.

GET /v1/compliance/activities   ->  anthropic_compliance_events
files at `paths` (*.csv)        ->  anthropic_compliance_events
how far the feed was read       ->  anthropic_compliance_cursors

An event lands once, by its id; a row of the export by the fingerprint of all its columns. The feed
is read backwards to its end first, then forwards from the newest event known. A cursor counts once
the package with its events is in.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.landing import OF_COMPLETE_LOADS
from dlt_pipelines.observed_rows import ApiRecord, ObservedRows, Timestamp, landed
from dlt_pipelines.plugin import LoadContext, SourcePlugin
from dlt_pipelines.sources.anthropic_compliance import audit_log, tables
from dlt_pipelines.sources.anthropic_compliance.client import ComplianceApi
from dlt_pipelines.sources.anthropic_compliance.details import before_and_after, resource, safe

if TYPE_CHECKING:
    from dlt.extract import DltResource

FEED = "activity_feed"
EXPORT = "audit_log_export"
Row = dict[str, Any]

# the field that tells who, by type of actor; the first that is there
ACTOR_IDS = (
    "user_id",
    "api_key_id",
    "admin_api_key_id",
    "service_account_id",
    "external_client_id",
    "directory_id",
    "service",
)


class AnthropicComplianceConfig(BaseModel):
    """Configuration of the source anthropic_compliance."""

    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr | None = Field(
        None,
        description="A Compliance Access Key with the scope read:compliance_activities, or an "
        "Admin key made after the feature was switched on. Without one only `paths` are read.",
    )
    base_url: str = Field("https://api.anthropic.com", description="Where the API is.")
    paths: list[Path] = Field(
        default_factory=list, description="Audit log exports: CSV files, or folders of them."
    )
    exclude_activity_types: list[str] = Field(
        default_factory=list, description="Types of activity to leave out."
    )
    page_size: int = Field(5000, ge=1, le=5000, description="Activities a request.")
    pages_per_package: int = Field(
        10, ge=1, description="Requests whose events land together: what a kill costs at most."
    )
    keep_fields: list[str] = Field(
        default_factory=list,
        description="Names of further fields whose texts land as they are, not as fingerprints. "
        "Name none that holds what people write or who they are.",
    )

    @model_validator(mode="after")
    def _has_something_to_read(self) -> "AnthropicComplianceConfig":
        if not (self.api_key or self.paths):
            raise ValueError("api_key is missing, or paths")
        return self


class Activity(ApiRecord):
    """One activity: the fields that all types have. The others are its model_extra."""

    id: str = Field(min_length=1)
    created_at: Timestamp
    type: str = Field(min_length=1)
    actor: dict[str, Any]
    organization_id: str | None = None
    organization_uuid: str | None = None
    accessed_at: Timestamp | None = None


class ExportedEvent(ApiRecord):
    """One row of the export, as far as it must be right."""

    created_at: Timestamp
    event: str = Field(min_length=1)


@dataclass(frozen=True)
class Cursor:
    """How far the feed is read, in both directions."""

    newest_id: str | None = None
    oldest_id: str | None = None
    is_history_read: bool = False


class AnthropicCompliancePlugin(SourcePlugin[AnthropicComplianceConfig]):
    """Read the Activity Feed and the audit log exports of one Anthropic organization."""

    name = "anthropic_compliance"
    version = "1.0.0"
    configuration = AnthropicComplianceConfig
    tables = tables.ALL

    def __init__(self, config: AnthropicComplianceConfig, context: LoadContext) -> None:
        """Prepare; send nothing yet."""
        super().__init__(config, context)
        self._rows = ObservedRows(context, self.name, tables.ALL)
        self._seen: set[str] = set()

    def fetch(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterable["DltResource"]:
        """Return the events that have not landed; ``since`` and ``until`` go by their time.

        Raises MindweaveError where the vendor refuses, or a path leads nowhere.
        """
        if self.config.api_key:
            api = ComplianceApi(
                self.config.base_url,
                self.config.api_key.get_secret_value(),
                self.config.page_size,
                self.config.exclude_activity_types,
            )
            if since or until:
                for page in api.between(since, until):
                    self._land_page(page)
            else:
                self._read_feed(api)
        # once, with the last part of the feed
        if self.config.paths and self.is_complete:
            self._read_exports(since, until)
        return self._rows.resources()

    # the feed

    def _read_feed(self, api: ComplianceApi) -> None:
        before = cursor = self._cursor()
        pages_left = self.config.pages_per_package
        if not cursor.is_history_read:
            for page in api.older(cursor.oldest_id):
                self._land_page(page)
                cursor = Cursor(
                    newest_id=cursor.newest_id or page.get("first_id"),
                    oldest_id=page.get("last_id") or cursor.oldest_id,
                    # an empty feed has no place to go on from: it is asked anew
                    is_history_read=not page.get("has_more") and bool(page.get("data")),
                )
                pages_left -= 1
                if not pages_left:
                    break
        if cursor.is_history_read and cursor.newest_id and pages_left:
            for page in api.newer(cursor.newest_id):
                self._land_page(page)
                cursor = replace(cursor, newest_id=page.get("first_id") or cursor.newest_id)
                pages_left -= 1
                if not pages_left:
                    break
        if cursor != before:
            self.is_complete = bool(pages_left)
            self._rows.add(
                tables.CURSORS,
                [
                    {
                        "newest_id": cursor.newest_id,
                        "oldest_id": cursor.oldest_id,
                        "is_history_read": cursor.is_history_read,
                        "recorded_at": self.context.now,
                    }
                ],
            )

    def _cursor(self) -> Cursor:
        rows = landed(
            self.context,
            f"""
            select landed.newest_id, landed.oldest_id, landed.is_history_read
            from {{raw}}.{tables.CURSORS.name} as landed
            {OF_COMPLETE_LOADS}
            order by loads.finished_at desc, loads.load_id desc
            limit 1
            """,
        )
        return Cursor(**rows[0]) if rows else Cursor()

    def _land_page(self, page: Mapping[str, Any]) -> None:
        items = page.get("data")
        if not isinstance(items, list):
            raise MindweaveError(
                "source anthropic_compliance: activities answered without a list `data`"
            )
        activities = list(self._rows.parse(Activity, items, "activities"))
        if not activities:
            return
        times = [activity.created_at for activity in activities]
        known = self._known(FEED, min(times), max(times))
        for activity in activities:
            if activity.id in known or activity.id in self._seen:
                self._rows.ignore(1)
                continue
            self._seen.add(activity.id)
            self._rows.add(tables.AUDIT_EVENTS, [self._activity_row(activity)])

    def _known(self, origin: str, first: datetime, last: datetime) -> set[str]:
        """Return the ids that landed of the events made within a time."""
        rows = landed(
            self.context,
            f"""
            select landed.event_id
            from {{raw}}.{tables.AUDIT_EVENTS.name} as landed
            {OF_COMPLETE_LOADS}
            where
                landed.origin = '{origin}'
                and landed.created_at >= '{first}' and landed.created_at <= '{last}'
            """,
        )
        return {row["event_id"] for row in rows}

    def _activity_row(self, activity: Activity) -> Row:
        key = self.context.key
        details = activity.model_extra or {}
        before, after = before_and_after(activity.type, details, key, self.config.keep_fields)
        kind, id_ = resource(details, key)
        workspace = details.get("workspace_id")
        return {
            "origin": FEED,
            "event_id": activity.id,
            "created_at": activity.created_at,
            "occurred_at": activity.accessed_at or activity.created_at,
            "org_id": activity.organization_id,
            "org_uuid": activity.organization_uuid,
            "workspace_id": workspace if isinstance(workspace, str) else None,
            "actor_kind": _text(activity.actor.get("type")),
            "actor_id": self._actor_id(activity.actor),
            "action": activity.type,
            "resource_type": kind,
            "resource_id": id_,
            "reason_code": self._reason(details),
            "before_json": before,
            "after_json": after,
        }

    def _actor_id(self, actor: Mapping[str, Any]) -> str | None:
        key = self.context.key
        for name in ("email_address", "unauthenticated_email_address"):
            if email := _text(actor.get(name)):
                return key.person(email.strip().lower())
        for name in ACTOR_IDS:
            if id_ := _text(actor.get(name)):
                return key.person(id_) if name == "user_id" else id_
        # whoever an identity provider or a type to come means may be a person
        others = sorted(name for name in actor if name == "subject" or name.endswith("_id"))
        for name in others:
            if id_ := _text(actor.get(name)):
                return key.person(id_)
        return None

    def _reason(self, details: Mapping[str, Any]) -> str | None:
        for name in ("reason_code", "reason"):
            if reason := _text(details.get(name)):
                return str(safe("reason_code", reason, self.context.key, ()))
        return None

    # the export

    def _read_exports(self, since: datetime | None, until: datetime | None) -> None:
        key = self.context.key
        known = self._known(EXPORT, datetime(1970, 1, 1), datetime(2200, 1, 1))
        for path in audit_log.files(self.config.paths, self.context.home):
            folder = key.fingerprint("path", str(path.resolve().parent))[:12]
            location = f"{folder}/{path.name}"
            self.context.counts.files_read += 1
            self.context.counts.bytes_read += path.stat().st_size
            for line_number, fields in audit_log.rows(path):
                if isinstance(fields, str):
                    self._rows.quarantine(location, fields, {"line": line_number}, line_number)
                    continue
                for event in self._rows.parse(ExportedEvent, [dict(fields)], location):
                    is_outside = (since and event.created_at < since) or (
                        until and event.created_at >= until
                    )
                    row = self._export_row(event, fields)
                    if is_outside or row["event_id"] in known:
                        self._rows.ignore(1)
                        continue
                    known.add(row["event_id"])
                    self._rows.add(tables.AUDIT_EVENTS, [row])

    def _export_row(self, event: ExportedEvent, fields: Mapping[str, str]) -> Row:
        key = self.context.key
        infos = {name: audit_log.dictionary(fields[name]) for name in _DICTIONARIES}
        unparsed = {
            name: key.fingerprint("audit_detail", fields[name])[:16]
            for name, info in infos.items()
            if info is None
        }
        actor, details, entity = (infos[name] or {} for name in _DICTIONARIES)
        before, after = before_and_after(
            event.event,
            {**details, **({"entity": entity} if entity else {})},
            key,
            self.config.keep_fields,
        )
        kind = _text(entity.get("type"))
        entity_id = _text(entity.get("uuid")) or _text(entity.get("id"))
        workspace = details.get("workspace_id") or entity.get("workspace_id")
        all_columns = "\x1f".join(fields[name] for name in audit_log.COLUMNS)
        return {
            "origin": EXPORT,
            "event_id": "export_" + key.fingerprint("audit_log_row", all_columns)[:32],
            "created_at": event.created_at,
            "occurred_at": event.created_at,
            "workspace_id": _text(workspace),
            "actor_kind": _text(actor.get("type")) or "user_actor",
            "actor_id": _person(actor, key),
            "action": event.event,
            "resource_type": kind,
            "resource_id": str(safe(f"{kind}_id", entity_id, key, ())) if entity_id else None,
            "reason_code": self._reason(details),
            "before_json": before,
            "after_json": after,
            "client_platform": fields["client_platform"] or None,
            "unparsed_fields": ", ".join(f"{name}={mark}" for name, mark in unparsed.items()),
        }


_DICTIONARIES = ("actor_info", "event_info", "entity_info")


def _person(actor: Mapping[str, Any], key: Any) -> str | None:
    """Return the pseudonym of who is described: by an e-mail anywhere in it, else by the id."""
    email = next((text for text in _texts(actor) if "@" in text), None)
    id_ = _text(actor.get("uuid")) or _text(actor.get("id")) or _text(actor.get("user_id"))
    name = email.strip().lower() if email else id_
    return str(key.person(name)) if name else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            # a display name may look like an address and be none
            if name != "name":
                yield from _texts(each)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
