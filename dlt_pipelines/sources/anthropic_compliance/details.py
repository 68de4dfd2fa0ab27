"""What of an audited event's own fields may land, and what it was before and after.

The types are an open set of several hundred, so the rule goes by value and not by type: numbers,
times, ids, and words under names that we know to hold words are kept; a person is a pseudonym;
any other text is a keyed fingerprint, so that a change of it can still be seen.
"""

import json
import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from dlt_pipelines.privacy import CustomerKey

Details = Mapping[str, Any]

DROPPED = {"ip_address", "user_agent", "device_id"}
# their texts are words of the vendor or names that may land
KEPT_WORDS = {
    "accessor_department",
    "authorization_server_issuer",
    "client_platform",
    "currency",
    "decision",
    "direction",
    "enforced",
    "error_subtype",
    "error_type",
    "feature",
    "idp_connection_type",
    "integration_type",
    "invited_role",
    "limit_action",
    "limit_type",
    "managed_auth_mode",
    "max_permission",
    "mcp_server_name",
    "mode",
    "model",
    "outcome",
    "per_review_limit_usd",
    "period",
    "permission",
    "permissions",
    "product",
    "product_surface",
    "reason",
    "reason_code",
    "request_method",
    "role",
    "scope",
    "scopes",
    "service",
    "source_type",
    "status",
    "surface",
    "tool_name",
    "type",
    "visibility",
    "workspace_name",
    "workspace_role",
}
# whoever has these in their name is a person, whatever their id looks like
OF_PEOPLE = re.compile(
    r"(^|_)(user|users|account|accounts|member|members|owner|email|admin_user)(_|$)"
)
AN_ID = re.compile(
    r"[a-z][a-z_]{1,20}_[A-Za-z0-9]{8,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
A_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ][\d:.]+(Z|[+-]\d\d:?\d\d)?)?")

# cents, in spite of the name; by type, as another type has dollars under a like name
CENTS = {
    "platform_spend_limit_created": ("limit_usd",),
    "platform_spend_limit_updated": ("limit_usd", "new_limit_usd", "previous_limit_usd"),
    "platform_spend_limit_deleted": ("limit_usd",),
    "workspace_spend_limit_created": ("limit_usd",),
    "workspace_spend_limit_updated": ("limit_usd", "new_limit_usd", "previous_limit_usd"),
    "workspace_spend_limit_deleted": ("limit_usd",),
    "workspace_member_spend_limit_updated": ("new_limit_usd", "previous_limit_usd"),
}
DOLLARS = {"per_review_limit_usd"}
ENDS = ("_deleted", "_removed", "_archived", "_disconnected", "_revoked", "_disabled")

RESOURCES = (
    "mcp_server_id",
    "api_key_id",
    "admin_api_key_id",
    "scoped_api_key_id",
    "spend_limit_id",
    "rbac_role_id",
    "role_id",
    "rbac_group_id",
    "group_id",
    "invite_id",
    "user_id",
    "account_id",
)
NO_RESOURCES = {"request_id", "reference_id", "correlation_id", "conversation_id", "workspace_id"}


def before_and_after(
    action: str, details: Details, key: CustomerKey, kept: Collection[str]
) -> tuple[str | None, str | None]:
    """Return what an event's own fields say of before and after, as JSON texts."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    is_end = action.endswith(ENDS)
    for name, value in details.items():
        if name == "updates" and isinstance(value, list):
            for update in value:
                if not isinstance(update, Mapping):
                    continue
                what = str(update.get("type"))[:100]
                before[what] = safe(what, update.get("previous_value"), key, kept)
                after[what] = safe(what, update.get("current_value"), key, kept)
            continue
        target, short = (before, name) if is_end else (after, name)
        for prefix, side in (("previous_", before), ("current_", after), ("new_", after)):
            if name.startswith(prefix):
                target, short = side, name.removeprefix(prefix)
        if name in DROPPED:
            continue
        label, money = _money(action, name, short, value)
        target[label] = money if money is not None else safe(short, value, key, kept)
    return _json(before), _json(after)


def safe(name: str, value: Any, key: CustomerKey, kept: Collection[str]) -> Any:
    """Return what may land of a field's value."""
    if value is None or isinstance(value, bool | int | Decimal):
        return value
    if isinstance(value, Mapping):
        # whose id it is can be told by what it is an id of
        whose = f"{name}_{value.get('type')}"
        return {
            _safe_name(str(inner), key): safe(
                f"{whose}_{inner}" if inner in ("id", "uuid") else str(inner), each, key, kept
            )
            for inner, each in value.items()
            if inner not in DROPPED
        }
    if isinstance(value, list | tuple | set):
        return [safe(name, each, key, kept) for each in value]
    text = str(value)
    if "@" in text:
        return key.person(text.strip().lower())
    if name in KEPT_WORDS or name in kept:
        return text[:500]
    if AN_ID.fullmatch(text):
        is_person = text.startswith("user_") or OF_PEOPLE.search(name)
        return key.person(text) if is_person else text
    if A_TIME.fullmatch(text) or not text:
        return text
    return "fingerprint_" + key.fingerprint("audit_detail", text)[:16]


def resource(details: Details, key: CustomerKey) -> tuple[str | None, str | None]:
    """Return the type and the id of what was acted on; a person's id is a pseudonym."""
    named = details.get("resource_details")
    if isinstance(named, Mapping) and isinstance(named.get("id"), str):
        kind = str(named.get("type") or "resource")
        return kind[:100], str(safe(f"{kind}_id", named["id"], key, ()))
    others = sorted(
        name for name in details if name.endswith("_id") and name not in {*RESOURCES, *NO_RESOURCES}
    )
    for name in (*RESOURCES[:-2], *others, *RESOURCES[-2:], "workspace_id"):
        value = details.get(name)
        if isinstance(value, str) and value:
            return name.removesuffix("_id"), str(safe(name, value, key, ()))
    return None, None


def _money(action: str, name: str, short: str, value: Any) -> tuple[str, str | None]:
    """Return the name and the dollars of an amount; one of unknown unit says that it is as told."""
    if not name.endswith("limit_usd") or name in DOLLARS or value is None:
        return short, None
    if name not in CENTS.get(action, ()) or isinstance(value, bool):
        return f"{short}_as_told", str(value)[:50] if isinstance(value, int | Decimal) else None
    if isinstance(value, int | Decimal):
        return short, format(Decimal(value).scaleb(-2), "f")
    return f"{short}_as_told", None


def _safe_name(name: str, key: CustomerKey) -> str:
    return key.person(name.strip().lower()) if "@" in name else name[:100]


def _json(value: Mapping[str, Any]) -> str | None:
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False) if value else None
