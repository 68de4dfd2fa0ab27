"""The company's gateway, as LiteLLM logs it: a product that recommends, on OpenAI's models.

spend_logs.json, the rows that ``GET /spend/logs/v2`` answers with: calls of models, some of them
retries of calls that failed, and calls of MCP tools. Prompts are stored, which a gateway may do.
"""

import datetime as dt
import hashlib
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from dlt_pipelines.demo.company import (
    Metered,
    ProgramCall,
    at,
    closed_days,
    email,
    made_id,
    made_uuid,
    no_tokens,
    zulu,
)
from dlt_pipelines.demo.prices import list_usd

TEAM = "growth"
PEOPLE = ("olga", "pavel")
PROJECT = "proj_recommender"
MODELS = ("gpt-5.2", "gpt-5-mini")
GROUPS = {"gpt-5.2": "large", "gpt-5-mini": "small"}
SEGMENTS = "new,returning,lapsed,business,student,family".split(",")
SLOTS = "front page,basket,newsletter,search results,checkout".split(",")
FAILS = 0.03
ASKS_A_TOOL = 0.2


def calls(seed: int, until: dt.date) -> Iterator[ProgramCall]:
    """Yield the product's calls; one that failed comes before the one that was tried again."""
    for day in closed_days(until):
        rng = random.Random(f"{seed}/gateway/{day}")
        for _ in range(rng.randint(20, 50)):
            call = _call(rng, day)
            if rng.random() < FAILS:
                yield _failed(call)
            yield call


def _call(rng: random.Random, day: dt.date) -> ProgramCall:
    model = rng.choices(MODELS, (1, 3))[0]
    started_at = at(day, rng.uniform(0, 23.9))
    cached = rng.choice((0, 1024, 2048))
    tokens = no_tokens() | {
        "input": rng.randint(300, 1800),
        "cache_read": cached,
        "output": rng.randint(60, 500),
    }
    prompt = f"What shall we show {rng.choice(SEGMENTS)} customers on the {rng.choice(SLOTS)}?"
    asks_a_tool = rng.random() < ASKS_A_TOOL
    return ProgramCall(
        metered=Metered(model, started_at, tokens, workspace=PROJECT, vendor="openai"),
        response_id=made_id(rng, "chatcmpl-"),
        ended_at=started_at + dt.timedelta(milliseconds=rng.randint(400, 6000)),
        prompt=prompt,
        tool=("postgres", "query", {"sql": "select top_items()"}) if asks_a_tool else None,
    )


def _failed(call: ProgramCall) -> ProgramCall:
    """Return the attempt before a call, which the vendor had no room for."""
    started_at = call.metered.started_at - dt.timedelta(seconds=2)
    return replace(
        call,
        metered=replace(call.metered, started_at=started_at, tokens=no_tokens()),
        ended_at=started_at + dt.timedelta(milliseconds=300),
        is_success=False,
        tool=None,
    )


def files(calls: Iterable[ProgramCall]) -> Iterator[tuple[str, str]]:
    """Yield the name and content of the list of rows."""
    rows = [row for call in calls for row in _rows(call)]
    yield "spend_logs.json", json.dumps(rows, separators=(",", ":"))


def _rows(call: ProgramCall) -> Iterator[dict[str, Any]]:
    rng = random.Random(f"{call.response_id}/{call.is_success}")
    person = rng.choice(PEOPLE)
    shared = {
        "litellm_call_id": call.response_id.removeprefix("chatcmpl-"),
        "api_key": hashlib.sha256(person.encode()).hexdigest(),
        "user": person,
        "end_user": "",
        "team_id": TEAM,
        "session_id": f"{call.metered.started_at:%Y-%m-%d}-recommender",
        "cache_hit": "False",
    }
    who = {"user_api_key_user_email": email(person), "user_api_key_project_alias": "recommender"}
    yield {**shared, **_model_call(call, rng, who)}
    if call.tool:
        yield {**shared, **_tool_call(call, rng, who)}


def _model_call(call: ProgramCall, rng: random.Random, who: dict[str, Any]) -> dict[str, Any]:
    metered = call.metered
    usd = list_usd(metered)
    total = float(sum(usd.values()))
    prompt, completion = metered.prompt_tokens, metered.tokens["output"]
    metadata: dict[str, Any] = {"attempted_retries": 0, **who}
    if call.is_success:
        metadata["usage_object"] = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": metered.tokens["cache_read"]},
        }
        metadata["cost_breakdown"] = {
            "input_cost": float(usd["input"]),
            "cache_read_cost": float(usd["cache_read"]),
            "output_cost": float(usd["output"]),
            "original_cost": total,
            "total_cost": total,
        }
    else:
        metadata["error_information"] = {"error_code": "429", "error_class": "RateLimitError"}
    return {
        "request_id": call.response_id if call.is_success else made_uuid(rng),
        "call_type": "acompletion",
        "spend": total,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        **_times(metered.started_at, call.ended_at),
        "request_duration_ms": call.milliseconds,
        "model": metered.model,
        "model_group": GROUPS[metered.model],
        "custom_llm_provider": "openai",
        "status": "success" if call.is_success else "failure",
        "messages": [{"role": "user", "content": call.prompt}],
        "metadata": metadata,
    }


def _tool_call(call: ProgramCall, rng: random.Random, who: dict[str, Any]) -> dict[str, Any]:
    assert call.tool  # noqa: S101  asked for by who calls
    server, tool, arguments = call.tool
    name = f"{server}/{tool}"
    asked_at = call.ended_at + dt.timedelta(milliseconds=5)
    called = {"name": tool, "arguments": arguments, "mcp_server_name": server}
    return {
        "request_id": made_uuid(rng),
        "call_type": "call_mcp_tool",
        "spend": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        **_times(asked_at, asked_at + dt.timedelta(milliseconds=rng.randint(20, 900))),
        "model": f"MCP: {tool}",
        "custom_llm_provider": "",
        "status": "success" if rng.random() < 0.95 else "failure",
        "mcp_namespaced_tool_name": name,
        "metadata": {"mcp_tool_call_metadata": {**called, "namespaced_tool_name": name}, **who},
    }


def _times(started_at: dt.datetime, ended_at: dt.datetime) -> dict[str, str]:
    # it writes a row some seconds after the call
    written_at = zulu(ended_at + dt.timedelta(seconds=8))
    times = {"startTime": zulu(started_at), "endTime": zulu(ended_at)}
    return {**times, "created_at": written_at, "updated_at": written_at}
