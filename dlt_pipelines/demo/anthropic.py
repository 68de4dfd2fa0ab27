"""What Anthropic's Admin API answers of the company: usage, costs, Claude Code, and who there is.

usage.json, cost.json  a row a day and group, grouped as the source asks by default
claude_code.json       a record a day and person: the same tokens again, as their client counts them
me.json, users.json, workspaces.json, workspace_members.json, api_keys.json

As on a real one: usage of a workspace that no source sees, code execution that no usage report
counts, a model whose price is not in the book, and a newest day that is not whole yet.
"""

import datetime as dt
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from dlt_pipelines.demo import agent
from dlt_pipelines.demo.company import (
    KINDS,
    ORGANIZATION,
    Call,
    Metered,
    at,
    closed_days,
    email,
    no_tokens,
)
from dlt_pipelines.demo.prices import list_usd, web_search_usd

CONTRACT = Decimal("0.95")  # of the list price of tokens
LATE_HOURS = 4
SUPPORT_WORKSPACE = "wrkspc_support_bot"
SUPPORT_MODEL = "claude-sonnet-4-5-20250929"
CODE_EXECUTION_EVERY_DAYS = 7
CODE_EXECUTION_USD = Decimal("0.15")
TOKEN_TYPES = {
    "input": "uncached_input_tokens",
    "cache_write_5m": "cache_creation.ephemeral_5m_input_tokens",
    "cache_write_1h": "cache_creation.ephemeral_1h_input_tokens",
    "cache_read": "cache_read_input_tokens",
    "output": "output_tokens",
}
TEAMS = {SUPPORT_WORKSPACE: "support", agent.WORKSPACE: agent.TEAM}
FOUNDED_AT = "2026-01-05T08:00:00Z"

Row = dict[str, Any]


def files(
    of_claude_code: Sequence[Call],
    calls: Iterable[Metered],
    people: Sequence[str],
    until: dt.date,
    seed: int,
) -> Iterator[tuple[str, str]]:
    """Yield the name and content of each list, as told at the beginning of ``until``.

    ``calls`` are all that the vendor served but the support bot's, which only the vendor knows of.
    """
    counted_to = at(until, 0) - dt.timedelta(hours=LATE_HOURS)
    seen = [call for call in calls if call.started_at < counted_to]
    for day in closed_days(until):
        seen += [call for call in support_bot(seed, day) if call.started_at < counted_to]
    lists: Mapping[str, Any] = {
        "usage": _usage(seen),
        "cost": _costs(seen) + _code_execution(until),
        "claude_code": _claude_code(
            [call for call in of_claude_code if call.metered.started_at < counted_to]
        ),
        "refreshed": {"data_refreshed_at": _time(until)},
        **_identities(people),
    }
    for name, content in lists.items():
        yield f"{name}.json", json.dumps(content, separators=(",", ":"))


def support_bot(seed: int, day: dt.date) -> Iterator[Metered]:
    """Yield the calls of a product that calls the API itself: the bill has them, and no source."""
    rng = random.Random(f"{seed}/support bot/{day}")
    for _ in range(rng.randint(25, 50)):
        started_at = at(day, rng.randint(6 * 3600, 22 * 3600) / 3600)
        tokens = no_tokens()
        tokens |= {"input": rng.randint(400, 2500), "output": rng.randint(80, 600)}
        yield Metered(SUPPORT_MODEL, started_at, tokens, workspace=SUPPORT_WORKSPACE)


def _usage(calls: Iterable[Metered]) -> list[Row]:
    groups: dict[tuple[Any, ...], list[Metered]] = defaultdict(list)
    for call in calls:
        day = call.started_at.date()
        groups[day, call.workspace or "", call.model, call.speed, call.geo].append(call)
    return [
        _row(
            day,
            {
                "workspace_id": workspace or None,
                "model": model,
                "service_tier": "standard",
                "speed": speed,
                "inference_geo": geo,
            },
            usage=_sum_of_usage(members),
        )
        for (day, workspace, model, speed, geo), members in sorted(groups.items())
    ]


def _sum_of_usage(calls: Sequence[Metered]) -> Row:
    tokens = {kind: sum(call.tokens[kind] for call in calls) for kind in KINDS}
    return {
        "uncached_input_tokens": tokens["input"],
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens["cache_write_5m"],
            "ephemeral_1h_input_tokens": tokens["cache_write_1h"],
        },
        "cache_read_input_tokens": tokens["cache_read"],
        "output_tokens": tokens["output"],
        "server_tool_use": {"web_search_requests": sum(call.web_searches for call in calls)},
        "requests": len(calls),
        "total_tokens": sum(tokens.values()),
    }


def _costs(calls: Iterable[Metered]) -> list[Row]:
    amounts: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for call in calls:
        day, workspace = call.started_at.date(), call.workspace or ""
        for kind, usd in list_usd(call).items():
            amounts[day, workspace, call.model, call.geo, "tokens", kind] += usd
        searches = call.web_searches * web_search_usd(day)
        amounts[day, workspace, "", "", "web_search", ""] += searches
    return [
        _cost(day, workspace, cost_type, usd, model=model, geo=geo, kind=kind)
        for (day, workspace, model, geo, cost_type, kind), usd in sorted(amounts.items())
        if usd
    ]


def _code_execution(until: dt.date) -> list[Row]:
    return [
        _cost(day, SUPPORT_WORKSPACE, "code_execution", CODE_EXECUTION_USD)
        for day in closed_days(until)
        if day.toordinal() % CODE_EXECUTION_EVERY_DAYS == 0
    ]


def _cost(
    day: dt.date,
    workspace: str,
    cost_type: str,
    list_usd: Decimal,
    model: str = "",
    geo: str = "",
    kind: str = "",
) -> Row:
    net_usd = list_usd * CONTRACT if cost_type == "tokens" else list_usd
    group = {
        "workspace_id": workspace or None,
        "api_key_id": _key(workspace) if workspace else None,
        "model": model or None,
        "service_tier": "standard" if model else None,
        "inference_geo": geo or None,
        "cost_type": cost_type,
        "token_type": TOKEN_TYPES.get(kind),
    }
    cost = {"amount": _cents(net_usd), "list_amount": _cents(list_usd), "currency": "USD"}
    return _row(day, group, cost={**cost, "requests": None})


def _row(day: dt.date, group: Row, **measures: Row) -> Row:
    ends = day + dt.timedelta(days=1)
    return {"starting_at": _time(day), "ending_at": _time(ends), "group": group, **measures}


def _claude_code(calls: Iterable[Call]) -> list[Row]:
    groups: dict[tuple[dt.date, str], list[Call]] = defaultdict(list)
    for call in calls:
        groups[call.metered.started_at.date(), call.user].append(call)
    return [_activity(day, user, members) for (day, user), members in sorted(groups.items())]


def _activity(day: dt.date, user: str, calls: Sequence[Call]) -> Row:
    tools = [tool for call in calls for tool in call.tools]

    def proposals(name: str) -> Row:
        outcomes = [tool.outcome for tool in tools if tool.name == name]
        rejected = outcomes.count("denied")
        return {"accepted": len(outcomes) - rejected, "rejected": rejected}

    edits = proposals("Edit")["accepted"] + proposals("Write")["accepted"]
    models: dict[str, list[Metered]] = defaultdict(list)
    for call in calls:
        models[call.metered.model].append(call.metered)
    return {
        "date": _time(day),
        "actor": {"type": "user_actor", "email_address": email(user)},
        "organization_id": ORGANIZATION,
        "customer_type": "subscription",
        "subscription_type": "enterprise",
        "terminal_type": "iTerm.app",
        "is_remote": False,
        "core_metrics": {
            "num_sessions": len({call.session_id for call in calls}),
            "lines_of_code": {"added": 14 * edits, "removed": 5 * edits},
            "commits_by_claude_code": edits // 6,
            "pull_requests_by_claude_code": edits // 30,
        },
        "tool_actions": {
            "edit_tool": proposals("Edit"),
            "multi_edit_tool": proposals("MultiEdit"),
            "write_tool": proposals("Write"),
            "notebook_edit_tool": proposals("NotebookEdit"),
        },
        "model_breakdown": [
            {"model": model, **_estimate(members)} for model, members in sorted(models.items())
        ],
    }


def _estimate(calls: Sequence[Metered]) -> Row:
    tokens = {kind: sum(call.tokens[kind] for call in calls) for kind in KINDS}
    usd = sum((sum(list_usd(call).values()) for call in calls), Decimal())
    return {
        "tokens": {
            "input": tokens["input"],
            "output": tokens["output"],
            "cache_read": tokens["cache_read"],
            # without its split
            "cache_creation": tokens["cache_write_5m"] + tokens["cache_write_1h"],
        },
        "estimated_cost": {"currency": "USD", "amount": round(usd * 100)},
    }


def _identities(people: Sequence[str]) -> Mapping[str, Any]:
    admin = _user(people[0])
    members = {"type": "workspace_member", "workspace_role": "workspace_admin"}
    return {
        "me": {"id": ORGANIZATION, "type": "organization", "name": "Northwind"},
        "users": [
            {
                "id": _user(person),
                "type": "user",
                "email": email(person),
                "name": person.title(),
                "role": "admin" if person == people[0] else "developer",
                "added_at": FOUNDED_AT,
            }
            for person in people
        ],
        "workspaces": [
            {
                "id": workspace,
                "type": "workspace",
                "name": workspace.removeprefix("wrkspc_").replace("_", " ").title(),
                "display_color": "#6C5BB9",
                "created_at": FOUNDED_AT,
                "archived_at": None,
                "data_residency": None,
                "tags": {"team": team},
            }
            for workspace, team in TEAMS.items()
        ],
        "workspace_members": [
            {**members, "user_id": admin, "workspace_id": workspace} for workspace in TEAMS
        ],
        "api_keys": [
            {
                "id": _key(workspace),
                "type": "api_key",
                "name": "production",
                "partial_key_hint": "sk-ant-api03-D4m...Q7AA",
                "status": "active",
                "created_at": FOUNDED_AT,
                "expires_at": None,
                "created_by": {"id": admin, "type": "user"},
                "scope": {"type": "workspace", "workspace_id": workspace},
                "principal": {"id": f"svac_{workspace}", "type": "service_account"},
            }
            for workspace in TEAMS
        ],
    }


def _user(person: str) -> str:
    return f"user_{person}"


def _key(workspace: str) -> str:
    return f"apikey_{workspace.removeprefix('wrkspc_')}"


def _cents(usd: Decimal) -> str:
    return format((usd * 100).normalize(), "f")


def _time(day: dt.date) -> str:
    return f"{day}T00:00:00Z"
