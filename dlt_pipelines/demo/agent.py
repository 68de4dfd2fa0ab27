"""An agent of the company's own, which rates search results every night, as its spans tell.

<day>.json, one export request a line, as an OpenTelemetry collector writes it: a span of the agent,
of each call of a model and of each call of an MCP tool, in the words of the GenAI conventions.
"""

import datetime as dt
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from dlt_pipelines.demo.company import (
    Metered,
    ProgramCall,
    at,
    closed_days,
    made_id,
    no_tokens,
)
from dlt_pipelines.demo.telemetry import otlp_attributes, unix_nanoseconds

TEAM = "search"
SERVICE = "relevance-agent"
WORKSPACE = "wrkspc_relevance"
MODEL = "claude-sonnet-5"
BEGINS_AT_HOUR = 2
INSTRUCTIONS = 3_500  # tokens, the same for every question
QUESTIONS = tuple(
    f"Does the page {page} answer the query {query}? Rate it from 0 to 4."
    for page in ("a", "b", "c")
    for query in "boots,lamp,tent,kettle,desk,rope,stove,chair,mug,bike".split(",")
)
RESOURCE = {"service.name": SERVICE, "service.version": "0.4.2", "team.id": TEAM}
CLIENT, INTERNAL = 3, 1  # kinds of span


def calls(seed: int, until: dt.date) -> Iterator[ProgramCall]:
    """Yield the agent's calls: it has the same questions every night."""
    for day in closed_days(until):
        rng = random.Random(f"{seed}/agent/{day}")
        started_at = at(day, BEGINS_AT_HOUR)
        for number, question in enumerate(QUESTIONS):
            ended_at = started_at + dt.timedelta(milliseconds=rng.randint(900, 4000))
            cache = {"cache_read": INSTRUCTIONS} if number else {"cache_write_5m": INSTRUCTIONS}
            tokens = no_tokens() | cache
            tokens |= {"input": rng.randint(200, 900), "output": rng.randint(40, 160)}
            asks = number % 3 == 0
            arguments = {"query": question.split("query ")[1].split("?")[0]}
            yield ProgramCall(
                metered=Metered(MODEL, started_at, tokens, workspace=WORKSPACE),
                response_id=made_id(rng, "msg_01"),
                ended_at=ended_at,
                prompt=question,
                tool=("confluence", "search", arguments) if asks else None,
            )
            started_at = ended_at + dt.timedelta(seconds=1)


def files(calls: Iterable[ProgramCall]) -> Iterator[tuple[str, str]]:
    """Yield the name and content of each day's file."""
    days: dict[dt.date, list[ProgramCall]] = defaultdict(list)
    for call in calls:
        days[call.metered.started_at.date()].append(call)
    for day, members in sorted(days.items()):
        scope = {"scope": {"name": SERVICE}, "spans": list(_spans(day, members))}
        resource = {"attributes": otlp_attributes(RESOURCE)}
        request = {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}
        yield f"{day}.json", json.dumps(request, separators=(",", ":")) + "\n"


def _spans(day: dt.date, calls: list[ProgramCall]) -> Iterator[dict[str, Any]]:
    rng = random.Random(f"{SERVICE}/{day}")
    trace, root = f"{rng.getrandbits(128):032x}", f"{rng.getrandbits(64):016x}"

    def span(
        name: str, kind: int, start: dt.datetime, end: dt.datetime, attributes: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "traceId": trace,
            "spanId": f"{rng.getrandbits(64):016x}",
            "parentSpanId": root,
            "name": name,
            "kind": kind,
            "startTimeUnixNano": unix_nanoseconds(start),
            "endTimeUnixNano": unix_nanoseconds(end),
            "attributes": otlp_attributes(
                {"gen_ai.conversation.id": f"{SERVICE}-{day}"} | attributes
            ),
            "status": {},
        }

    told = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": SERVICE}
    whole = span(
        f"invoke_agent {SERVICE}", INTERNAL, calls[0].metered.started_at, calls[-1].ended_at, told
    )
    yield whole | {"spanId": root, "parentSpanId": ""}
    for call in calls:
        metered = call.metered
        yield span(f"chat {metered.model}", CLIENT, metered.started_at, call.ended_at, _chat(call))
        if call.tool:
            server, tool, arguments = call.tool
            ended_at = call.ended_at + dt.timedelta(milliseconds=rng.randint(30, 800))
            asked = {
                "mcp.method.name": "tools/call",
                "mcp.server.name": server,
                "gen_ai.tool.name": tool,
                "gen_ai.tool.call.id": made_id(rng, "toolu_01"),
                "gen_ai.tool.call.arguments": json.dumps(arguments),
            }
            yield span(f"tools/call {tool}", CLIENT, call.ended_at, ended_at, asked)


def _chat(call: ProgramCall) -> dict[str, Any]:
    metered = call.metered
    parts = [{"type": "text", "content": call.prompt}]
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": metered.model,
        "gen_ai.response.model": metered.model,
        "gen_ai.response.id": call.response_id,
        # all of it, here: what the cache had and took included
        "gen_ai.usage.input_tokens": metered.prompt_tokens,
        "gen_ai.usage.cache_read.input_tokens": metered.tokens["cache_read"],
        "gen_ai.usage.cache_creation.input_tokens": metered.tokens["cache_write_5m"],
        "gen_ai.usage.output_tokens": metered.tokens["output"],
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts}]),
        "anthropic.workspace.id": metered.workspace,
    }
