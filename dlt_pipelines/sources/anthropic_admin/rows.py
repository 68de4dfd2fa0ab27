"""From the vendor's records to rows: cents become dollars, and people pseudonyms."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Any

from dlt_pipelines.privacy import CustomerKey
from dlt_pipelines.sources.anthropic_admin.records import (
    Actor,
    AnalyticsCost,
    AnalyticsRow,
    AnalyticsUsage,
    ApiKey,
    ClassicCost,
    ClassicUsage,
    ClaudeCodeRecord,
    Group,
    Usage,
    User,
    Workspace,
    WorkspaceMember,
)

Row = dict[str, Any]

WIDTHS = {"1d": timedelta(days=1), "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}
EXACT = Context(prec=60)
USD_DECIMALS = Decimal("1e-15")
OWN_COLUMNS = {
    "actor",
    "actor_type",
    "api_key_id",
    "context_window",
    "cost_type",
    "inference_geo",
    "model",
    "product",
    "service_tier",
    "speed",
    "token_type",
    "workspace_id",
}
IDS_OF_PEOPLE = {"claude_tag_user_id", "user_profile_id"}
DEFAULT_WORKSPACE = "default"


def usd(cents: Decimal) -> Decimal:
    """Return dollars: ``41280.000000`` is 412.80."""
    return EXACT.quantize(EXACT.scaleb(cents, -2), USD_DECIMALS)


def person(key: CustomerKey, email: str | None, user_id: str | None) -> str | None:
    """Return a person's pseudonym: by the e-mail where there is one, else by the id."""
    name = email.strip().lower() if email else user_id
    return key.person(name) if name else None


def interval(start: datetime, width: str) -> Row:
    """Return the columns of a bucket's place; reports cut the end of the newest one short."""
    return {"bucket_start_at": start, "bucket_end_at": start + WIDTHS[width]}


def usage_counts(usage: Usage) -> Row:
    """Return the columns of token counts."""
    return {
        "uncached_input_tokens": usage.uncached_input_tokens,
        "ephemeral_5m_input_tokens": usage.cache_creation.ephemeral_5m_input_tokens,
        "ephemeral_1h_input_tokens": usage.cache_creation.ephemeral_1h_input_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "web_search_requests": usage.server_tool_use.web_search_requests,
        "requests": usage.requests,
    }


def analytics_row(record: AnalyticsRow, width: str, key: CustomerKey) -> Row:
    """Return the row of one group of ``analytics/usage`` or ``analytics/cost``."""
    row = {
        **interval(record.starting_at, width),
        **_group(record.group, key),
        "unknown_fields": record.unknown_fields(),
    }
    if isinstance(record, AnalyticsUsage):
        row |= usage_counts(record.usage)
    if isinstance(record, AnalyticsCost):
        row |= {
            "cost_type": record.group.cost_type,
            "token_type": record.group.token_type,
            "amount_usd": usd(record.cost.amount),
            "list_amount_usd": usd(record.cost.list_amount),
            "currency": record.cost.currency,
            "requests": record.cost.requests,
        }
    return row


def classic_usage_row(
    record: ClassicUsage, start: datetime, width: str, default_workspace: str | None, key: Any
) -> Row:
    """Return the row of one result of ``usage_report/messages``."""
    return {
        **interval(start, width),
        "workspace_id": record.workspace_id or default_workspace,
        "api_key_id": record.api_key_id,
        "user_id": person(key, None, record.account_id),
        "service_account_id": record.service_account_id,
        "model": record.model,
        "service_tier": record.service_tier,
        "context_window": record.context_window,
        "inference_geo": record.inference_geo,
        "speed": record.speed,
        **usage_counts(record),
        "unknown_fields": record.unknown_fields(),
    }


def classic_cost_row(record: ClassicCost, start: datetime, default_workspace: str | None) -> Row:
    """Return the row of one result of ``cost_report``, which tells no list amount."""
    return {
        **interval(start, "1d"),
        "workspace_id": record.workspace_id or default_workspace,
        "model": record.model,
        "service_tier": record.service_tier,
        "context_window": record.context_window,
        "inference_geo": record.inference_geo,
        "cost_type": record.cost_type,
        "token_type": record.token_type,
        "description": record.description,
        "amount_usd": usd(record.amount),
        "currency": record.currency,
        "unknown_fields": record.unknown_fields(),
    }


def claude_code_rows(record: ClaudeCodeRecord, key: CustomerKey) -> tuple[list[Row], Row]:
    """Return a record's usage, a row a model, and its activity, one row."""
    metrics, tools = record.core_metrics, record.tool_actions
    name = record.actor.api_key_name
    actor = {
        **interval(record.date, "1d"),
        "actor_type": record.actor.type,
        "user_id": person(key, record.actor.email_address, record.actor.user_id),
        "api_key_name_fingerprint": key.fingerprint("api_key_name", name) if name else None,
        "customer_type": record.customer_type,
        "subscription_type": record.subscription_type,
        "terminal_type": record.terminal_type,
        "is_remote": record.is_remote,
        "unknown_fields": record.unknown_fields(),
    }
    usage = [
        {
            **actor,
            "model": part.model,
            "input_tokens": part.tokens.input,
            "cache_creation_tokens": part.tokens.cache_creation,
            "cache_read_tokens": part.tokens.cache_read,
            "output_tokens": part.tokens.output,
            "estimated_cost_usd": usd(part.estimated_cost.amount),
        }
        for part in record.model_breakdown
    ]
    activity = {
        **actor,
        "sessions": metrics.num_sessions,
        "lines_added": metrics.lines_of_code.added,
        "lines_removed": metrics.lines_of_code.removed,
        "commits": metrics.commits_by_claude_code,
        "pull_requests": metrics.pull_requests_by_claude_code,
        "edit_accepted": tools.edit_tool.accepted,
        "edit_rejected": tools.edit_tool.rejected,
        "multi_edit_accepted": tools.multi_edit_tool.accepted,
        "multi_edit_rejected": tools.multi_edit_tool.rejected,
        "write_accepted": tools.write_tool.accepted,
        "write_rejected": tools.write_tool.rejected,
        "notebook_edit_accepted": tools.notebook_edit_tool.accepted,
        "notebook_edit_rejected": tools.notebook_edit_tool.rejected,
    }
    return usage, activity


def user_row(user: User, key: CustomerKey) -> Row:
    """Return the row of a user: two pseudonyms, of the vendor's id and of the person."""
    return {
        "user_id": key.person(user.id),
        "person_id": person(key, user.email, user.id),
        "role": user.role,
        "added_at": user.added_at,
        "unknown_fields": user.unknown_fields(),
    }


def workspace_row(workspace: Workspace, team_tag: str | None) -> Row:
    """Return the row of a workspace; the tag called ``team_tag`` names its team."""
    tags = workspace.tags or {}
    team = tags.get(team_tag) if team_tag else None
    residency = workspace.data_residency
    return {
        "workspace_id": workspace.id,
        "name": workspace.name,
        "team_id": str(team) if team else None,
        "tags": _json(tags),
        "created_at": workspace.created_at,
        "archived_at": workspace.archived_at,
        "workspace_geo": residency.workspace_geo if residency else None,
        "default_inference_geo": residency.default_inference_geo if residency else None,
        "allowed_inference_geos": _json(residency.allowed_inference_geos) if residency else None,
        "unknown_fields": workspace.unknown_fields(),
    }


def member_row(member: WorkspaceMember, key: CustomerKey) -> Row:
    """Return the row of a workspace's member."""
    return {
        "workspace_id": member.workspace_id,
        "user_id": key.person(member.user_id),
        "workspace_role": member.workspace_role,
        "unknown_fields": member.unknown_fields(),
    }


def api_key_row(
    api_key: ApiKey,
    default_workspace: str,
    people: Mapping[str, str],
    personal_workspaces: set[str],
    key: CustomerKey,
) -> Row:
    """Return the row of a key in any of its shapes; neither its name nor its hint lands.

    ``people`` are pseudonyms by the vendor's user id. A key stands for a person where a user is its
    principal, or made it in one of ``personal_workspaces``.
    """
    principal, creator = api_key.principal, api_key.created_by
    scope_type, workspace = None, None
    if api_key.scope:
        scope_type = api_key.scope.type
        if scope_type == "workspace":
            workspace = api_key.scope.workspace_id or default_workspace
    elif "workspace_id" in api_key.model_fields_set:
        workspace = api_key.workspace_id or default_workspace
    elif principal and principal.type == "workspace":
        workspace = principal.id
    owner = None
    if principal and principal.type == "user":
        owner = principal.id
    elif creator and creator.type == "user" and workspace in personal_workspaces:
        owner = creator.id

    def actor(type_: str | None, id_: str | None) -> str | None:
        return key.person(id_) if id_ and type_ == "user" else id_

    return {
        "api_key_id": api_key.id,
        "scope_type": scope_type,
        "workspace_id": workspace,
        "principal_type": principal.type if principal else None,
        "principal_id": actor(principal.type, principal.id) if principal else None,
        "person_id": people.get(owner) or key.person(owner) if owner else None,
        "created_by_type": creator.type if creator else None,
        "created_by_id": actor(creator.type, creator.id) if creator else None,
        "status": api_key.status,
        "name_fingerprint": key.fingerprint("api_key_name", api_key.name) if api_key.name else None,
        "created_at": api_key.created_at,
        "expires_at": api_key.expires_at,
        "unknown_fields": api_key.unknown_fields(),
    }


def _group(group: Group, key: CustomerKey) -> Row:
    actor = group.actor or Actor(type="")
    others = {
        name: key.person(value) if name in IDS_OF_PEOPLE else value
        for name in sorted(set(Group.model_fields) - OWN_COLUMNS)
        if (value := getattr(group, name)) is not None
    }
    return {
        "workspace_id": group.workspace_id,
        "api_key_id": group.api_key_id or actor.api_key_id,
        "actor_type": group.actor_type or actor.type or None,
        "user_id": person(key, actor.email_address, actor.user_id),
        "service_account_id": actor.service_account_id,
        "model": group.model,
        "product": group.product,
        "service_tier": group.service_tier,
        "context_window": group.context_window,
        "inference_geo": group.inference_geo,
        "speed": group.speed,
        "other_groups": _json(others),
    }


def _json(value: Any) -> str | None:
    return json.dumps(value, sort_keys=True) if value else None
