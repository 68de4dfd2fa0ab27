"""What OpenAI's organization API answers of the company: usage, costs, and who there is.

usage_completions.json, costs.json  a bucket a UTC day, grouped as the source asks by default
users.json, projects.json, project_….json, admin_api_keys.json, audit_logs.json
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from dlt_pipelines.demo import documents, gateway
from dlt_pipelines.demo.company import Metered, at, email
from dlt_pipelines.demo.prices import list_usd

PROJECTS = (documents.PROJECT, gateway.PROJECT)
LINE_ITEMS = {"input": "input", "cache_read": "cached input", "output": "output"}
OWNER = gateway.PEOPLE[0]
FOUNDED_AT = 1_735_689_600  # 2025-01-01

Group = tuple[str | None, str]


def files(calls: Iterable[Metered], until: dt.date) -> Iterator[tuple[str, str]]:
    """Yield the name and content of each list."""
    days: dict[dt.date, dict[Group, list[Metered]]] = defaultdict(lambda: defaultdict(list))
    for call in calls:
        days[call.started_at.date()][call.workspace, call.model].append(call)
    usage = [
        _bucket(day, [_usage(*item) for item in sorted(groups.items())])
        for day, groups in sorted(days.items())
    ]
    costs = [
        _bucket(day, [line for item in sorted(groups.items()) for line in _costs(*item)])
        for day, groups in sorted(days.items())
    ]
    lists: Mapping[str, Any] = {
        "usage_completions": usage,
        "costs": costs,
        "audit_logs": _audit_logs(until),
        **_identities(),
    }
    for name, content in lists.items():
        yield f"{name}.json", json.dumps(content, separators=(",", ":"))


def _bucket(day: dt.date, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    start = _seconds(day)
    return {"object": "bucket", "start_time": start, "end_time": start + 86400, "results": results}


def _usage(group: Group, calls: Sequence[Metered]) -> dict[str, Any]:
    project, model = group
    cached = sum(call.tokens["cache_read"] for call in calls)
    uncached = sum(call.tokens["input"] for call in calls)
    return {
        "object": "organization.usage.completions.result",
        "project_id": project,
        "user_id": None,
        "api_key_id": _key(project),
        "model": model,
        "batch": False,
        "service_tier": "default",
        "input_tokens": uncached + cached,
        "input_uncached_tokens": uncached,
        "input_cached_tokens": cached,
        "input_cache_write_tokens": 0,
        "output_tokens": sum(call.tokens["output"] for call in calls),
        "num_model_requests": len(calls),
    }


def _costs(group: Group, calls: Sequence[Metered]) -> Iterator[dict[str, Any]]:
    project, model = group
    for kind, words in LINE_ITEMS.items():
        quantity = sum(call.tokens[kind] for call in calls)
        usd = sum((list_usd(call)[kind] for call in calls), Decimal())
        if quantity:
            yield {
                "object": "organization.costs.result",
                "amount": {"value": format(usd, "f"), "currency": "usd"},
                "line_item": f"{model}, {words}",
                "quantity": quantity,
                "quantity_unit": "tokens",
                "project_id": project,
                "api_key_id": _key(project),
            }


def _audit_logs(until: dt.date) -> list[dict[str, Any]]:
    """Return what the owner did: a limit raised in the weeks before, and a key made."""
    session = {"user": {"id": f"user-{OWNER}", "email": email(OWNER)}}
    return [
        {
            "id": f"audit_log-{number}",
            "type": kind,
            "effective_at": _seconds(until) - days * 86400 + 36_000,
            "project": {"id": gateway.PROJECT, "name": "recommender"},
            "actor": {"type": "session", "session": session},
            kind: told,
        }
        for number, (days, kind, told) in enumerate(
            (
                (40, "api_key.created", {"id": _key(gateway.PROJECT), "data": {"scopes": []}}),
                (
                    20,
                    "rate_limit.updated",
                    {"id": "rl-gpt-5.2", "changes_requested": {"max_requests_per_1_minute": 600}},
                ),
            )
        )
    ]


def _identities() -> dict[str, Any]:
    users = [
        {
            "object": "organization.user",
            "id": f"user-{name}",
            "name": name.title(),
            "email": email(name),
            "role": "owner" if name == OWNER else "reader",
            "added_at": FOUNDED_AT,
        }
        for name in gateway.PEOPLE
    ]
    accounts = {project: f"svc_acct_{project.removeprefix('proj_')}" for project in PROJECTS}
    return {
        "users": users,
        "projects": [
            {
                "object": "organization.project",
                "id": project,
                "name": project.removeprefix("proj_"),
                "created_at": FOUNDED_AT,
                "archived_at": None,
                "status": "active",
            }
            for project in PROJECTS
        ],
        "project_users": {
            project: [{**user, "object": "organization.project.user"} for user in users]
            for project in PROJECTS
        },
        "project_service_accounts": {
            project: [_service_account(account)] for project, account in accounts.items()
        },
        "project_api_keys": {
            project: [
                {
                    "object": "organization.project.api_key",
                    "id": _key(project),
                    "name": "production",
                    "redacted_value": "sk-svc...demo",
                    "created_at": FOUNDED_AT,
                    "owner": {
                        "type": "service_account",
                        "service_account": _service_account(account),
                    },
                }
            ]
            for project, account in accounts.items()
        },
        "admin_api_keys": [],
    }


def _service_account(account: str) -> dict[str, Any]:
    return {
        "object": "organization.project.service_account",
        "id": account,
        "name": "production",
        "role": "member",
        "created_at": FOUNDED_AT,
    }


def _key(project: str | None) -> str:
    return f"key_{project}"


def _seconds(day: dt.date) -> int:
    return int(at(day, 0).timestamp())
