"""What happened in the demo's made-up company, for transcripts, telemetry and bill to tell."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
    workspace: str = ""
    """None is the default one, in which Claude Code works."""

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
