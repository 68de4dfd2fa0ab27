"""Answers of the organization API as rows: people as pseudonyms, nothing of what they wrote."""

import json
import re
from collections.abc import Mapping
from typing import Any

from dlt_pipelines.privacy import CustomerKey
from dlt_pipelines.sources.openai_admin.records import (
    ApiKey,
    AuditEvent,
    CostResult,
    Member,
    Person,
    Project,
    ServiceAccount,
    UsageResult,
    as_stored,
    plain_text,
)

Row = dict[str, Any]

# details of events whose texts are words of the vendor's, not of people
VENDORS_WORDS = {
    *("scopes", "role", "roles", "status", "type", "permissions", "model", "models"),
    *("error_code", "resource_type", "principal_type", "project_access", "visibility"),
}
WORD = re.compile(r"[\w.:/*-]{1,100}", re.ASCII)
FIELD_NAME = re.compile(r"[a-z0-9_.]{1,60}")
ID_OF_PERSON = re.compile(r"user[-_]\w+")
ID_OF_THING = re.compile(
    r"(proj|key|role|group|org|invite|svc_acct|svcacct|sa|cert|rl|asst|ft|file)[-_][\w-]+"
)
LONGEST_DETAILS = 20_000


class Rows:
    """Makes the rows of one organization."""

    def __init__(self, key: CustomerKey, org_id: str | None) -> None:
        """Take what pseudonyms are made with."""
        self._key = key
        self._org_id = org_id

    def usage(self, result: UsageResult) -> Row:
        """Return a group of a usage bucket."""
        row = result.model_dump(
            exclude={"object", "batch", "size", "source", *(result.model_extra or {})}
        )
        return row | {
            "org_id": self._org_id,
            "user_id": result.user_id and self._key.person(result.user_id),
            "is_batch": result.batch,
            "image_size": result.size,
            "image_source": result.source,
            "seconds": as_stored(result.seconds),
            "unknown_fields": result.unknown_fields(),
        }

    def cost(self, result: CostResult) -> Row:
        """Return a group of a day's costs."""
        return {
            "org_id": self._org_id,
            "project_id": result.project_id,
            "user_id": result.user_id and self._key.person(result.user_id),
            "api_key_id": result.api_key_id,
            "api_source": result.api_source,
            "line_item": result.line_item,
            "amount": as_stored(result.amount.value),
            "exact_amount": plain_text(result.amount.value),
            "currency": result.amount.currency.upper(),
            "quantity": as_stored(result.quantity),
            "quantity_unit": result.quantity_unit,
            "unknown_fields": result.unknown_fields(),
        }

    def project(self, project: Project) -> Row:
        """Return a project."""
        return {
            "org_id": self._org_id,
            "project_id": project.id,
            "name": project.name,
            "status": project.status,
            "created_at": project.created_at,
            "archived_at": project.archived_at,
            "unknown_fields": project.unknown_fields(),
        }

    def member(self, member: Member) -> Row:
        """Return a person in the organization or in a project."""
        return {
            "org_id": self._org_id,
            "user_id": self._key.person(member.id),
            "person_id": self._person(member),
            "role": member.role,
            "added_at": member.added_at,
            "unknown_fields": member.unknown_fields(),
        }

    def service_account(self, account: ServiceAccount) -> Row:
        """Return a service account."""
        return {
            "org_id": self._org_id,
            "service_account_id": account.id,
            "role": account.role,
            "created_at": account.created_at,
            "unknown_fields": account.unknown_fields(),
        }

    def api_key(self, key: ApiKey) -> Row:
        """Return a key of a project; of an admin key the caller knows better."""
        owner, user, account = key.owner, None, None
        if owner:
            user, account = owner.user, owner.service_account
            if owner.id and not (user or account):
                at_once = Person(id=owner.id, role=owner.role)
                user, account = (
                    (None, at_once) if owner.type == "service_account" else (at_once, None)
                )
        named = user or account
        return {
            "org_id": self._org_id,
            "api_key_id": key.id,
            "key_kind": "project",
            "project_id": None,
            "owner_type": owner and owner.type,
            "owner_user_id": user and self._key.person(user.id),
            "owner_person_id": user and self._person(user),
            "owner_service_account_id": account and account.id,
            "owner_role": named and named.role,
            "created_at": key.created_at,
            "unknown_fields": key.unknown_fields(),
        }

    def audit_event(self, event: AuditEvent) -> Row:
        """Return an audited event."""
        actor, details = event.actor, event.details or {}
        session = actor.session if actor else None
        key = actor.api_key if actor else None
        user = (session.user if session else None) or (key.user if key else None)
        resource_type = event.type.rpartition(".")[0] or None
        thing = details.get("id")
        code = details.get("error_code")
        return {
            "org_id": self._org_id,
            "event_id": event.id,
            "event_type": event.type,
            "occurred_at": event.effective_at,
            "project_id": event.project and event.project.id,
            "project_name": event.project and event.project.name,
            "actor_type": actor and actor.type,
            "actor_person_id": user and self._person(user),
            "actor_user_id": user and self._key.person(user.id),
            "actor_api_key_id": key and key.id,
            "actor_service_account_id": key and key.service_account and key.service_account.id,
            "ip_fingerprint": session
            and session.ip_address
            and self._key.fingerprint("ip", session.ip_address),
            "resource_type": resource_type,
            "resource_id": self._resource_id(resource_type, thing),
            "reason_code": code if isinstance(code, str) else None,
            "details_json": self._details(details),
            "unknown_fields": event.unknown_fields(),
        }

    def _person(self, person: Person | Member) -> str:
        return self._key.person(person.email.lower() if person.email else person.id)

    def _resource_id(self, resource_type: str | None, thing: Any) -> str | None:
        if not isinstance(thing, str) or not thing:
            return None
        if resource_type == "user" or ID_OF_PERSON.fullmatch(thing):
            return self._key.person(thing)
        return thing

    def _details(self, details: Mapping[str, Any]) -> str | None:
        changed = {name: value for name, value in details.items() if name not in ("id", "email")}
        if not changed:
            return None
        text = json.dumps(self._without_content(changed), sort_keys=True, default=str)
        if len(text) <= LONGEST_DETAILS:
            return text
        return json.dumps({"fingerprint": self._key.fingerprint("details", text)})

    def _without_content(self, value: Any, name: str = "") -> Any:
        """Return details with the vendor's words and ids only; other texts as fingerprints."""
        if isinstance(value, dict):
            return {
                (
                    member if FIELD_NAME.fullmatch(member) else self._fingerprint(member)
                ): self._without_content(item, member)
                for member, item in value.items()
            }
        if isinstance(value, list):
            return [self._without_content(item, name) for item in value]
        if not isinstance(value, str) or (name in VENDORS_WORDS and WORD.fullmatch(value)):
            return value
        if ID_OF_PERSON.fullmatch(value):
            return self._key.person(value)
        if ID_OF_THING.fullmatch(value):
            return value
        return self._fingerprint(value)

    def _fingerprint(self, text: str) -> str:
        return "fingerprint_" + self._key.fingerprint("details", text)[:16]
