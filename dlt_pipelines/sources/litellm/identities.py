"""Keys, users, teams and the audit log of the gateway's database."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dlt_pipelines import exact_json
from dlt_pipelines.landing import RawTable, newest_sql
from dlt_pipelines.observed_rows import ApiRecord, ObservedRows, Timestamp, changed_entities, landed
from dlt_pipelines.plugin import LoadContext
from dlt_pipelines.privacy import CustomerKey
from dlt_pipelines.sources.litellm import tables
from dlt_pipelines.sources.litellm.client import json_text
from dlt_pipelines.sources.litellm.database import GatewayDatabase

# what an audited change may tell: limits and memberships, nothing that people wrote or are called
AUDITED_FIELDS = (
    "allowed_cache_controls",
    "allowed_routes",
    "blocked",
    "budget_duration",
    "expires",
    "max_budget",
    "max_parallel_requests",
    "models",
    "organization_id",
    "permissions",
    "rpm_limit",
    "soft_budget",
    "spend",
    "team_id",
    "tpm_limit",
    "user_role",
)
PEOPLE_TABLES = ("LiteLLM_UserTable", "LiteLLM_EndUserTable")


class Key(ApiRecord):
    """A row of LiteLLM_VerificationToken, as far as it is read."""

    token: str
    user_id: str | None = None
    team_id: str | None = None
    organization_id: str | None = None
    blocked: bool | None = None
    expires: Timestamp | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None


class User(ApiRecord):
    """A row of LiteLLM_UserTable, as far as it is read."""

    user_id: str
    user_email: str | None = None
    user_role: str | None = None
    teams: list[str] | None = None
    organization_id: str | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None


class Team(ApiRecord):
    """A row of LiteLLM_TeamTable, as far as it is read."""

    team_id: str
    team_alias: str | None = None
    organization_id: str | None = None
    blocked: bool | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None


class AuditLog(ApiRecord):
    """A row of LiteLLM_AuditLog."""

    id: str
    updated_at: Timestamp
    changed_by: str | None = None
    changed_by_api_key: str | None = None
    action: str
    table_name: str
    object_id: str | None = None
    before_value: Any = None
    updated_values: Any = None


def pseudonym(key: CustomerKey, user_id: str | None, email: str | None = None) -> str | None:
    """Return the person's pseudonym: by the e-mail where there is one, else by the id."""
    name = (email or user_id or "").strip()
    return key.person(name.lower() if "@" in name else name) if name else None


def land_identities(
    database: GatewayDatabase, context: LoadContext, observed: ObservedRows
) -> None:
    """Add what changed of users, keys and teams; a table that the version lacks is left out."""
    emails: dict[str, str | None] = {}
    if database.columns("LiteLLM_UserTable"):
        users = list(_parsed(database, observed, User, "LiteLLM_UserTable"))
        emails = {user.user_id: user.user_email for user in users}
        rows = (
            {
                "user_id": pseudonym(context.key, user.user_id),
                "person_id": pseudonym(context.key, user.user_id, user.user_email),
                # of several teams none is the user's
                "team_id": user.teams[0] if user.teams and len(user.teams) == 1 else None,
                "org_id": user.organization_id,
                "role": user.user_role,
            }
            for user in users
        )
        _land(context, observed, tables.USERS, "user_id", rows, _times(context, users, "user_id"))
    if database.columns("LiteLLM_VerificationToken"):
        keys = list(_parsed(database, observed, Key, "LiteLLM_VerificationToken"))
        rows = (
            {
                "key_id": key.token,
                "person_id": pseudonym(context.key, key.user_id, emails.get(key.user_id or "")),
                "team_id": key.team_id or None,
                "org_id": key.organization_id or None,
                "status": _status(key, context),
            }
            for key in keys
            if not key.token.startswith("sk-")  # never a key itself, whatever put it there
        )
        _land(context, observed, tables.KEYS, "key_id", rows, _times(context, keys, "token"))
    if database.columns("LiteLLM_TeamTable"):
        teams = list(_parsed(database, observed, Team, "LiteLLM_TeamTable"))
        rows = (
            {
                "team_id": team.team_id,
                "team_name": team.team_alias,
                "org_id": team.organization_id or None,
                "status": "blocked" if team.blocked else "active",
            }
            for team in teams
        )
        _land(context, observed, tables.TEAMS, "team_id", rows, _times(context, teams, "team_id"))


def land_audit_log(database: GatewayDatabase, context: LoadContext, observed: ObservedRows) -> None:
    """Add the audited changes that have not landed yet."""
    table = "LiteLLM_AuditLog"
    if not database.columns(table):
        return
    known = _known(context, tables.AUDIT_LOGS, "event_id")
    for event in _parsed(database, observed, AuditLog, table):
        if event.id in known:
            observed.ignore(1)
            continue
        known.add(event.id)
        is_person = bool(event.changed_by)
        object_id = event.object_id
        if event.table_name in PEOPLE_TABLES:
            object_id = pseudonym(context.key, object_id)
        observed.add(
            tables.AUDIT_LOGS,
            [
                {
                    "event_id": event.id,
                    "occurred_at": event.updated_at,
                    "actor_kind": "user" if is_person else "api_key",
                    "actor_id": pseudonym(context.key, event.changed_by)
                    if is_person
                    else _hash_only(event.changed_by_api_key),
                    "action": event.action,
                    "resource_type": event.table_name,
                    "resource_id": _hash_only(object_id),
                    "before_json": _audited(event.before_value),
                    "after_json": _audited(event.updated_values),
                }
            ],
        )


def _parsed(
    database: GatewayDatabase, observed: ObservedRows, model: type[Any], table: str
) -> Iterator[Any]:
    return observed.parse(model, database.small_table(table), table)


def _times(context: LoadContext, records: Iterable[Any], key: str) -> Mapping[str, Any]:
    """Return since when each record holds as it is, and since when there is one, by its id."""
    return {
        pseudonym(context.key, record.user_id) or ""
        if isinstance(record, User)
        else getattr(record, key): (record.created_at, record.updated_at)
        for record in records
    }


def _land(
    context: LoadContext,
    observed: ObservedRows,
    table: RawTable,
    key: str,
    rows: Iterable[Mapping[str, Any]],
    times: Mapping[str, Any],
) -> None:
    """Add the rows that changed, valid from their first day, or from the change where known."""
    known = _known(context, table, key)
    changed = changed_entities(
        context, rows, table, [key], is_complete=True, note_unchanged=observed.ignore
    )
    for row in changed:
        created_at, updated_at = times.get(row[key], (None, None))
        changed_at = context.now if row["is_deleted"] else updated_at or context.now
        valid_from = changed_at if row[key] in known else created_at
        observed.add(table, [{**row, "valid_from_at": valid_from}])


def _known(context: LoadContext, table: RawTable, key: str) -> set[Any]:
    """Return the keys that landed whole."""
    return {row[key] for row in landed(context, newest_sql(table.name, [key], [key]))}


def _status(key: Key, context: LoadContext) -> str:
    if key.blocked:
        return "blocked"
    return "expired" if key.expires and key.expires <= context.now else "active"


def _hash_only(key: str | None) -> str | None:
    return None if not key or key.startswith("sk-") else key


def _audited(value: Any) -> str | None:
    """Return what of a changed row may be kept, as JSON."""
    if isinstance(value, str):
        try:
            value = exact_json.parse(value)
        except ValueError:
            return None
    if not isinstance(value, dict):
        return None
    kept = {name: value[name] for name in AUDITED_FIELDS if value.get(name) is not None}
    return json_text(kept) if kept else None
