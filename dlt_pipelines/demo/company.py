"""What happened in the demo's made-up company, for those to tell who saw it."""

import datetime as dt
import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DAYS = 60
ORGANIZATION = "5f0c8f6e-3b1d-4a53-9a55-0d6c0f7b2a41"
ID_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789"
KINDS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")


@dataclass(frozen=True)
class Metered:
    """What the vendor meters of one call."""

    model: str
    started_at: dt.datetime
    tokens: Mapping[str, int]
    """By kind, of `KINDS`."""
    web_searches: int = 0
    speed: str = "standard"
    geo: str = "global"
    workspace: str | None = None
    """Of the vendor's, or its project; None is a seat, as Claude Code's."""
    vendor: str = "anthropic"

    @property
    def prompt_tokens(self) -> int:
        """What the model read."""
        return sum(self.tokens.values()) - self.tokens["output"]


@dataclass(frozen=True)
class ToolRun:
    """A tool that the model asked for, and what came of it: success, error or denied."""

    tool_use_id: str
    name: str
    arguments: Mapping[str, Any]
    ended_at: dt.datetime
    duration: dt.timedelta
    outcome: str
    result_bytes: int


@dataclass(frozen=True)
class Call:
    """One answer of a model to Claude Code, and the tools that it made run."""

    metered: Metered
    request_id: str
    session_id: str
    user: str
    team: str
    query_source: str
    ended_at: dt.datetime
    tools: tuple[ToolRun, ...]


def metered(model: str, started_at: dt.datetime, usage: Mapping[str, Any]) -> Metered:
    """Return what the vendor meters of an answer with this usage block."""
    written = usage["cache_creation"]
    return Metered(
        model=model,
        started_at=started_at,
        tokens={
            "input": usage["input_tokens"],
            "cache_write_5m": written["ephemeral_5m_input_tokens"],
            "cache_write_1h": written["ephemeral_1h_input_tokens"],
            "cache_read": usage["cache_read_input_tokens"],
            "output": usage["output_tokens"],
        },
        web_searches=usage.get("server_tool_use", {}).get("web_search_requests", 0),
        speed=usage["speed"],
        geo=usage["inference_geo"],
    )


@dataclass(frozen=True)
class ProgramCall:
    """One call of a model by a program of the company, not by somebody with Claude Code."""

    metered: Metered
    response_id: str
    ended_at: dt.datetime
    is_success: bool = True
    prompt: str = ""
    tool: tuple[str, str, Mapping[str, Any]] | None = None
    """The MCP server, tool and arguments that the answer asked for."""

    @property
    def milliseconds(self) -> int:
        """How long the answer took."""
        return (self.ended_at - self.metered.started_at) // dt.timedelta(milliseconds=1)


def closed_days(until: dt.date) -> Iterator[dt.date]:
    """Yield the days of the window that are over at the beginning of ``until``."""
    for age in range(DAYS - 1, 0, -1):
        yield until - dt.timedelta(days=age)


def no_tokens() -> dict[str, int]:
    """Return a count of nothing of every kind."""
    return dict.fromkeys(KINDS, 0)


def made_id(rng: random.Random, prefix: str) -> str:
    """Return an id as vendors make them."""
    return prefix + "".join(rng.choices(ID_LETTERS, k=22))


def made_uuid(rng: random.Random) -> str:
    """Return a random UUID that the seed decides."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def at(day: dt.date, hours: float) -> dt.datetime:
    """Return the time so many hours into a UTC day."""
    return dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(hours=hours)


def zulu(time: dt.datetime) -> str:
    """Return a time as vendors write it."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def email(user: str) -> str:
    """Return the address that a person signs in with."""
    return f"{user}@northwind.example"
