"""Write the demo workload: what tools, programs and vendors write, for a made-up company.

usage: python -m dlt_pipelines.demo.workload OUT [--until DATE] [--seed N]

OUT/<team>/<user>/projects/<encoded cwd>/<session>.jsonl, as if collected from everybody's machine
OUT/telemetry/<day>.json       of the same calls, as a collector writes it: telemetry.py
OUT/agent/<day>.json           spans of an agent of the company's own: agent.py
OUT/documents/<month>.csv      the list that a nightly job writes of its calls: documents.py
OUT/audit_log.csv              who did what in claude.ai, as it is exported: audit_log.py
OUT/registry/servers.json      the company's registry of MCP servers, as a dump: registry.py
OUT/api/<vendor>/<list>.json   what a gateway (gateway.py) and the vendors (anthropic.py, openai.py)
                               answer of all these calls; vendors.py serves it

Sixty days up to DATE (today, UTC). In it: weekdays and hours, growth, new models taking over, a
runaway agent every eight weeks, the same questions asked in several teams, failing tools, resumed
sessions, sub-agents, side chains that replay their parent, broken lines, a model without a price,
a team without telemetry, a machine of which there is nothing but telemetry.

A session depends on the seed, its person and its day only, never on DATE. So a run on a later day
writes the calls of the days it shares with an earlier run again, not others like them.
"""

import argparse
import datetime as dt
import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlt_pipelines.demo import (
    agent,
    anthropic,
    audit_log,
    company,
    documents,
    gateway,
    openai,
    registry,
    telemetry,
)
from dlt_pipelines.demo.company import Call, ToolRun, at, made_id, made_uuid, metered, zulu

RUNAWAY_EVERY_DAYS = 56
RUNAWAY_DAY = dt.date(2026, 11, 11)
SHARE_OF_THE_FIRST_DAY = 0.55  # of the last day's sessions: the rest is growth
WEEKEND_SHARE = 0.1
DAYS_TO_ADOPT_A_MODEL = 21
ELSEWHERE_EVERY_DAYS = 7


@dataclass(frozen=True)
class Person:
    """Somebody with Claude Code on their machine."""

    name: str
    team: str
    projects: tuple[str, ...]
    servers: tuple[str, ...]
    utc_offset: int
    appetite: float = 1.0
    cache: str = "5m"
    geo: str = "global"


def _team(
    team: str, names: str, projects: str, servers: str, offset: int, **settings: Any
) -> list[Person]:
    return [
        Person(name, team, tuple(projects.split()), tuple(servers.split()), offset, **settings)
        for name in names.split()
    ]


PEOPLE = (
    *_team(
        "payments", "ana bruno chidi", "ledger-api checkout", "postgres linear sentry", 1, geo="us"
    ),
    *_team("search", "dora emil fatou", "ranker indexer", "github postgres confluence", 1),
    *_team("platform", "goran hana ivo", "infra ci-tools", "github sentry slack", 0, appetite=1.3),
    *_team("mobile", "jun kira luca", "app", "linear browser_tools sentry", -5, cache="1h"),
    *_team("data", "mina noor", "warehouse", "postgres confluence slack", 9, cache="1h"),
)

TEAM_WITHOUT_TELEMETRY = "data"
# at times works on a machine whose transcripts nobody collects
ELSEWHERE = "fatou"

# newest first, with the day it was launched
MODELS: Mapping[str, tuple[tuple[str, dt.date], ...]] = {
    "opus": (
        ("claude-opus-5-5", dt.date(2026, 9, 22)),
        ("claude-opus-5", dt.date(2026, 7, 24)),
    ),
    "sonnet": (
        ("claude-sonnet-5-5", dt.date(2026, 9, 28)),
        ("claude-sonnet-4-6", dt.date(2026, 2, 17)),
    ),
    "haiku": (
        ("claude-haiku-5-5", dt.date(2026, 10, 7)),
        ("claude-haiku-4-5-20251001", dt.date(2025, 10, 15)),
    ),
}
MODEL_WITHOUT_A_PRICE = "claude-fable-5-2"

MCP_TOOLS = {
    "browser_tools": ("navigate", "take_screenshot", "read_console"),
    "confluence": ("search", "get_page"),
    "github": ("search_code", "get_pull_request", "list_commits", "create_issue"),
    "linear": ("list_issues", "get_issue", "create_comment"),
    "postgres": ("query", "describe_table"),
    "sentry": ("list_issues", "get_issue"),
    "slack": ("search_messages", "post_message"),
}
BUILTIN_TOOLS = ("Bash", "Read", "Edit", "Grep", "Write")

# asked again and again, by people who do not know that others asked before
SHARED_WORK = (
    ("How do I get a fresh copy of the staging database?", "confluence", "search",
     {"query": "staging database refresh"}),
    ("Which services still use the old auth token?", "github", "search_code",
     {"query": "legacy_auth_token", "org": "northwind"}),
    ("What changed in the last release?", "github", "list_commits",
     {"repo": "northwind/releases", "since": "last-tag"}),
    ("Summarise the open incidents of this week.", "sentry", "list_issues",
     {"query": "is:unresolved", "statsPeriod": "7d"}),
    ("How many orders failed yesterday, and why?", "postgres", "query",
     {"sql": "select reason, count(*) from orders where status = 'failed' group by 1"}),
    ("What does the on-call guide say about paging?", "confluence", "get_page",
     {"id": "oncall-guide"}),
    ("Who decided to drop the v1 API, and where is it written?", "slack", "search_messages",
     {"query": "drop v1 api decision"}),
    ("List the bugs that block the next release.", "linear", "list_issues",
     {"filter": "label:release-blocker state:open"}),
)  # fmt: skip

BROKEN_LINES = (
    '{"type":"assistant","message":{"id":"msg_01cut","usage":{"input_tok',
    "\x00\x00\x00\x00\x00\x00\x00\x00",
    "warning: the disk was full, 3 records were not written",
)

VERBS = "Fix,Explain,Refactor,Test,Review,Document,Speed up,Migrate,Simplify,Debug".split(",")
WORDS = """account alert batch branch buffer build cache call cart check client column commit
config cursor customer deploy event export fee field file filter flag gateway handler header
import index invoice job key label ledger limit list lock log map merge metric model module note
order page parser patch payment plan policy price query queue rank refund release report request
result retry role route rule schema score screen script search secret sequence server session
shard signal source stage status step store stream table tag task team test timeout token topic
trace type update user value vector version view volume wallet worker zone""".split()
ANSWER_SCALE = {"haiku": 0.6, "sonnet": 1.0, "opus": 1.2}


class Transcript:
    """The lines of one session, and of the sub-agents it started."""

    def __init__(
        self,
        rng: random.Random,
        person: Person,
        project: str,
        start: dt.datetime,
        model: str,
        entrypoint: str = "cli",
        session_id: str | None = None,
    ) -> None:
        """Begin a session, or a sub-agent's transcript when it has a ``session_id`` already."""
        self.rng = rng
        self.person = person
        self.project = project
        self.now = start
        self.model = model
        self.entrypoint = entrypoint
        self.is_sidechain = session_id is not None
        self.session_id = session_id or self._uuid()
        self.branch = rng.choice(("main", "main", f"fix/{rng.choice(WORDS)}", ""))
        self.speed = "fast" if person.team == "mobile" and rng.random() < 0.1 else "standard"
        self.lines: list[str] = []
        self.agents: dict[str, list[str]] = {}
        self.calls: list[Call] = []
        self.parent: str | None = None
        # tokens of the conversation: those in the cache, and those it has not seen yet
        self.cached = rng.choice((0, 14_000, 14_000))
        self.fresh = (
            rng.randint(3_000, 9_000) if rng.random() < 0.9 else rng.randint(50_000, 90_000)
        )
        self.cached_at = start
        # when the last record was written, and when the last wait began
        self.told_at = self.waiting_from = start

    def _uuid(self) -> str:
        return made_uuid(self.rng)

    def _id(self, prefix: str) -> str:
        return made_id(self.rng, prefix)

    def words(self, least: int, most: int) -> str:
        """Return some words of a developer's day."""
        return " ".join(self.rng.choices(WORDS, k=self.rng.randint(least, most)))

    def wait(self, least: float, most: float) -> None:
        """Let some seconds pass."""
        self.waiting_from = self.now
        self.now += dt.timedelta(seconds=self.rng.uniform(least, most))

    def record(self, kind: str, **fields: Any) -> None:
        """Append a record of the conversation."""
        record_id = self._uuid()
        self.lines.append(
            _line(
                parentUuid=self.parent,
                isSidechain=self.is_sidechain,
                userType="external",
                entrypoint=self.entrypoint,
                cwd=f"/home/{self.person.name}/src/{self.project}",
                sessionId=self.session_id,
                version="2.1.240",
                gitBranch=self.branch,
                type=kind,
                uuid=record_id,
                timestamp=zulu(self.now),
                **fields,
            )
        )
        self.parent = record_id
        self.told_at = self.now

    def ask(self, prompt: str) -> None:
        """Append what the person typed."""
        self.record("user", message={"role": "user", "content": prompt})
        self.fresh += len(prompt) // 4

    def answer(self, tools: list[tuple[str, dict[str, Any]]]) -> None:
        """Append one answer of the model, a line a block, then the results of its tools."""
        rng = self.rng
        blocks: list[dict[str, Any]] = []
        if rng.random() < 0.3:
            blocks.append({"type": "thinking", "thinking": self.words(10, 40), "signature": ""})
        if rng.random() < 0.6 or not tools:
            blocks.append({"type": "text", "text": self.words(12, 60)})
        blocks += [
            {"type": "tool_use", "id": self._id("toolu_01"), "name": name, "input": arguments}
            for name, arguments in tools
        ]
        started_at = self._started_at()
        usage = self._usage()
        message_id, request_id = self._id("msg_01"), self._id("req_011")
        for index, block in enumerate(blocks):
            is_last = index == len(blocks) - 1
            message = {
                "id": message_id,
                "type": "message",
                "role": "assistant",
                "model": self.model,
                "content": [block],
                "stop_reason": ("tool_use" if tools else "end_turn") if is_last else None,
                "stop_sequence": None,
                # only the last line knows how long the answer became
                "usage": usage if is_last else {**usage, "output_tokens": rng.randint(1, 8)},
            }
            self.record("assistant", requestId=request_id, apiBlockIndex=index, message=message)
            self.wait(0.2, 3)
        ended_at = _whole_milliseconds(self.now)
        if rng.random() < 0.02:
            # a side question copies the answer that it is about, under a request id of its own
            copy = json.loads(self.lines[-1])
            copy |= {"isSidechain": True, "requestId": self._id("req_011"), "uuid": self._uuid()}
            self.lines.append(_line(**copy))
        self.calls.append(
            Call(
                metered=metered(self.model, started_at, usage),
                request_id=request_id,
                session_id=self.session_id,
                user=self.person.name,
                team=self.person.team,
                query_source="agent:builtin:Explore" if self.is_sidechain else "repl_main_thread",
                ended_at=ended_at,
                tools=tuple(self._result(block) for block in blocks if block["type"] == "tool_use"),
            )
        )

    def _started_at(self) -> dt.datetime:
        """Return when the model was asked for the answer of which the first line comes now.

        Never on the day before: who counts requests and who counts lines agree on every day.
        """
        midnight = at(self.now.date(), 0)
        return _whole_milliseconds(max(self.told_at, self.waiting_from, midnight))

    def _usage(self) -> dict[str, Any]:
        rng = self.rng
        keeps = dt.timedelta(minutes=5 if self.person.cache == "5m" else 60)
        if self.now - self.cached_at > keeps:
            self.cached, self.fresh = 0, self.cached + self.fresh
        self.cached_at = self.now
        family = self.model.split("-")[1]
        output = int(rng.lognormvariate(5.6, 0.9) * ANSWER_SCALE.get(family, 1.0)) + 15
        written = self.fresh
        usage: dict[str, Any] = {
            "input_tokens": rng.randint(2, 40),
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": self.cached,
            "cache_creation": {
                "ephemeral_5m_input_tokens": written if self.person.cache == "5m" else 0,
                "ephemeral_1h_input_tokens": written if self.person.cache == "1h" else 0,
            },
            "output_tokens": output,
            "service_tier": "standard",
            "inference_geo": self.person.geo,
            "speed": self.speed if family == "opus" else "standard",
        }
        if rng.random() < 0.02:
            usage["server_tool_use"] = {"web_search_requests": 1, "web_fetch_requests": 0}
        self.cached += written
        self.fresh = output
        return usage

    def _result(self, tool_use: dict[str, Any]) -> ToolRun:
        rng = self.rng
        started_at = self.now
        self.wait(0.3, 12)
        luck = rng.random()
        text = "Error: timed out" if luck < 0.05 else self.words(10, 120)
        extras: dict[str, Any] = {"toolDenialKind": "user-rejected"} if luck > 0.99 else {}
        content = {
            "tool_use_id": tool_use["id"],
            "type": "tool_result",
            "is_error": luck < 0.05 or luck > 0.99,
            "content": [{"type": "text", "text": text}],
        }
        self.record("user", message={"role": "user", "content": [content]}, **extras)
        # what the model reads is longer than what the demo keeps on disk
        read = len(text) * rng.randint(2, 40)
        self.fresh += read // 4
        return ToolRun(
            tool_use_id=tool_use["id"],
            name=tool_use["name"],
            arguments=tool_use["input"],
            ended_at=_whole_milliseconds(self.now),
            duration=self.now - started_at,
            outcome="denied" if extras else "error" if content["is_error"] else "success",
            result_bytes=read,
        )

    def tool(self) -> tuple[str, dict[str, Any]]:
        """Return a tool call as this person makes them."""
        rng = self.rng
        if rng.random() < 0.6:
            return rng.choice(BUILTIN_TOOLS), {"description": self.words(3, 10)}
        server = rng.choice(self.person.servers)
        return _mcp(server, rng.choice(MCP_TOOLS[server])), {"query": self.words(2, 6)}

    def turn(self) -> None:
        """Append a question and the answers until it is settled."""
        rng = self.rng
        if rng.random() < 0.12:
            prompt, server, name, arguments = rng.choice(SHARED_WORK)
            self.ask(prompt)
            self.wait(1, 5)
            self.answer([(_mcp(server, name), arguments)])
        else:
            self.ask(f"{rng.choice(VERBS)} the {self.words(3, 14)}")
            for _ in range(rng.choice((0, 1, 1, 2, 3, 4))):
                self.wait(1, 8)
                self.answer([self.tool() for _ in range(rng.choice((1, 1, 1, 2)))])
            if rng.random() < 0.1:
                self.sub_agent()
        self.wait(1, 8)
        self.answer([])

    def sub_agent(self) -> None:
        """Hand a piece of work to a sub-agent, which writes a file of its own."""
        task = self.words(5, 12)
        self.answer([("Task", {"description": task, "subagent_type": "Explore"})])
        day = self.now.date()
        model = model_on(self.rng, "haiku", day)
        agent = Transcript(
            self.rng, self.person, self.project, self.now, model, self.entrypoint, self.session_id
        )
        agent.ask(task)
        for _ in range(self.rng.randint(2, 5)):
            agent.wait(1, 6)
            agent.answer([agent.tool()])
        agent.wait(1, 6)
        agent.answer([])
        self.agents[f"agent-{self.rng.getrandbits(32):08x}"] = agent.lines
        self.calls += agent.calls
        self.now = agent.now

    def notice(self) -> None:
        """Append one of the records that are no conversation."""
        match self.rng.randrange(4):
            case 0:
                self.lines.append(
                    _line(type="summary", summary=self.words(3, 8), leafUuid=self.parent)
                )
            case 1:
                self.lines.append(
                    _line(type="file-history-snapshot", messageId=self.parent, snapshot={})
                )
            case 2:
                self.record("system", subtype="informational", content=self.words(3, 8))
            case _:
                # the client's own message when the API does not answer; nobody is billed for it
                zero = {"input_tokens": 0, "output_tokens": 0}
                message = {
                    "id": self._uuid(),
                    "type": "message",
                    "role": "assistant",
                    "model": "<synthetic>",
                    "content": [{"type": "text", "text": "API Error: overloaded"}],
                    "usage": zero,
                }
                self.record("assistant", isApiErrorMessage=True, message=message)

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield the path below the person's folder and the content of each file."""
        cwd = f"/home/{self.person.name}/src/{self.project}"
        folder = f"projects/{re.sub('[^A-Za-z0-9]', '-', cwd)}/{self.session_id}"
        yield f"{folder}.jsonl", "\n".join(self.lines) + "\n"
        for name, lines in self.agents.items():
            yield f"{folder}/subagents/{name}.jsonl", "\n".join(lines) + "\n"


def _line(**record: Any) -> str:
    return json.dumps(record, separators=(",", ":"))


def _mcp(server: str, tool: str) -> str:
    return f"mcp__{server}__{tool}"


def model_on(rng: random.Random, family: str, day: dt.date) -> str:
    """Return the family's newest model that this session uses already."""
    for model, launched in MODELS[family][:-1]:
        if rng.random() * DAYS_TO_ADOPT_A_MODEL < (day - launched).days:
            return model
    return MODELS[family][-1][0]


def _whole_milliseconds(time: dt.datetime) -> dt.datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def work_session(rng: random.Random, person: Person, day: dt.date) -> Transcript:
    """Return a session of somebody at work."""
    family = rng.choices(("opus", "sonnet", "haiku"), (4, 5, 1))[0]
    model = model_on(rng, family, day)
    if person.team == "data" and rng.random() < 0.03:
        model = MODEL_WITHOUT_A_PRICE
    # two humps: the late morning and the afternoon
    hour = rng.gauss(*rng.choice(((10.3, 1.2), (15.0, 1.4)))) - person.utc_offset
    session = Transcript(rng, person, rng.choice(person.projects), at(day, hour), model)
    for _ in range(rng.randint(1, 5)):
        session.turn()
        if rng.random() < 0.1:
            session.notice()
        session.wait(20, 500)
    if rng.random() < 0.02:
        session.lines.append(rng.choice(BROKEN_LINES))
    return session


def nightly_session(rng: random.Random, person: Person, day: dt.date) -> Transcript:
    """Return the unattended session that sorts the day's failures just after midnight UTC."""
    model = model_on(rng, "haiku", day)
    session = Transcript(rng, person, "ci-tools", at(day, 0.05), model, "sdk-cli")
    session.ask("Sort the failed jobs of the last day and open an issue for each new cause.")
    for name, tool in (
        ("sentry", "list_issues"),
        ("github", "search_code"),
        ("slack", "post_message"),
    ):
        session.wait(1, 6)
        session.answer([(_mcp(name, tool), {"query": "failed jobs", "day": day.isoformat()})])
    session.wait(1, 6)
    session.answer([])
    return session


def runaway_session(rng: random.Random, person: Person, day: dt.date) -> Transcript:
    """Return an agent that goes round in circles for an afternoon with a very long prompt."""
    session = Transcript(rng, person, "indexer", at(day, 12), model_on(rng, "opus", day), "sdk-py")
    session.fresh = 150_000
    session.ask("Keep going until every test passes.")
    for _ in range(320):
        session.wait(20, 60)
        if rng.random() < 0.2:
            # the tool's output changes the start of the prompt: nothing is read from the cache
            session.cached, session.fresh = 0, session.cached + session.fresh
        session.answer([(_mcp("github", "search_code"), {"query": "flaky test indexer"})])
        if session.cached > 190_000:
            session.cached, session.fresh = 0, 120_000
    return session


def sessions_of(seed: int, person: Person, day: dt.date, growth: float) -> Iterator[Transcript]:
    """Yield what ``person`` did on ``day``; ``growth`` is the share of it that took place."""
    rng = random.Random(f"{seed}/{person.name}/{day}")
    workday = day.weekday() < 5
    likely = person.appetite * (1.6 if workday else 1.6 * WEEKEND_SHARE)
    for _ in range(3):
        # drawn before the look at growth, so that what is left does not change with it
        session_rng, luck = random.Random(rng.getrandbits(64)), rng.random()
        if luck < likely / 3 * growth:
            yield work_session(session_rng, person, day)


def resume(old: Transcript, new: Transcript) -> None:
    """Let ``new`` begin with a copy of what was said in ``old``, as a resumed session does."""
    copied = [line for line in old.lines[:30] if line not in BROKEN_LINES]
    new.lines[:0] = [line.replace(old.session_id, new.session_id) for line in copied]


def sessions(seed: int, until: dt.date) -> Iterator[Transcript]:
    """Yield every session of the sixty days up to and including ``until``."""
    for person in PEOPLE:
        last: Transcript | None = None
        for age in range(company.DAYS - 1, -1, -1):
            day = until - dt.timedelta(days=age)
            rng = random.Random(f"{seed}/{person.name}/{day}/other")
            if person.name == "goran":
                yield nightly_session(rng, person, day)
            if age == 0:
                break  # the last day has only begun
            if person.name == "emil" and (day - RUNAWAY_DAY).days % RUNAWAY_EVERY_DAYS == 0:
                yield runaway_session(rng, person, day)
            growth = 1 - (1 - SHARE_OF_THE_FIRST_DAY) * age / company.DAYS
            for session in sessions_of(seed, person, day, growth):
                if last and rng.random() < 0.06:
                    resume(last, session)
                last = session
                yield session


def sessions_elsewhere(seed: int, until: dt.date) -> Iterator[Transcript]:
    """Yield the sessions on the machine whose transcripts nobody collects."""
    person = next(person for person in PEOPLE if person.name == ELSEWHERE)
    for day in company.closed_days(until):
        if day.toordinal() % ELSEWHERE_EVERY_DAYS == 0:
            rng = random.Random(f"{seed}/{person.name}/{day}/elsewhere")
            model = model_on(rng, "sonnet", day)
            session = Transcript(rng, person, person.projects[0], at(day, 9.5), model)
            session.turn()
            yield session


def write(out: Path, until: dt.date, seed: int = 1) -> tuple[int, int]:
    """Write the workload below ``out``; return how many requests and bytes are in it.

    A file that is right already is left alone; one of an earlier run that is no longer part of the
    workload goes.
    """
    collected = list(sessions(seed, until))
    elsewhere = sessions_elsewhere(seed, until)
    calls = [call for session in (*collected, *elsewhere) for call in session.calls]
    reported = [call for call in calls if call.team != TEAM_WITHOUT_TELEMETRY]
    of_the_agent = list(agent.calls(seed, until))
    of_the_gateway = list(gateway.calls(seed, until))
    of_the_job = list(documents.calls(seed, until))
    names = [person.name for person in PEOPLE]
    size = write_transcripts(out, collected)
    size += _write_days(out / "telemetry", telemetry.files(reported))
    size += _write_days(out / "agent", agent.files(of_the_agent))
    size += _write_days(out / "documents", documents.files(of_the_job))
    size += _write(out, audit_log.files(names, seed, until))
    size += _write(out, registry.files(MCP_TOOLS))
    at_anthropic = [call.metered for call in calls] + [call.metered for call in of_the_agent]
    at_openai = [call.metered for call in (*of_the_gateway, *of_the_job) if call.is_success]
    size += _write(
        out / "api" / "anthropic", anthropic.files(calls, at_anthropic, names, until, seed)
    )
    size += _write(out / "api" / "litellm", gateway.files(of_the_gateway))
    size += _write(out / "api" / "openai", openai.files(at_openai, until))
    return len(calls) + len(of_the_agent) + len(of_the_gateway) + len(of_the_job), size


def _write_days(folder: Path, files: Iterable[tuple[str, str]]) -> int:
    """Write a file a day or month below ``folder``, and leave no other there."""
    return _write(folder, files, folder.glob("????-??*"))


def write_transcripts(out: Path, sessions: Iterable[Transcript]) -> int:
    """Write the transcripts of ``sessions`` below ``out`` and no others; return their bytes."""
    files = (
        (f"{session.person.team}/{session.person.name}/{name}", text)
        for session in sessions
        for name, text in session.files()
    )
    folders = (out / person.team / person.name / "projects" for person in PEOPLE)
    return _write(out, files, (path for folder in folders for path in folder.rglob("*.jsonl")))


def _write(folder: Path, files: Iterable[tuple[str, str]], ours: Iterable[Path] = ()) -> int:
    """Write files below ``folder``, remove those of ``ours`` that are not among them."""
    size = 0
    written: set[Path] = set()
    for name, text in files:
        path, content = folder / name, text.encode()
        size += len(content)
        written.add(path)
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for path in set(ours) - written:
        path.unlink()
        for parent in path.parents:
            if any(parent.iterdir()):
                break
            parent.rmdir()
    return size


def main() -> None:
    """Run the command line that the module describes."""
    today = dt.datetime.now(dt.UTC).date()
    parser = argparse.ArgumentParser(prog="python -m dlt_pipelines.demo.workload")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--until", type=dt.date.fromisoformat, default=today, metavar="DATE")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    requests, size = write(arguments.out, arguments.until, arguments.seed)
    print(
        f"demo workload: {requests:,} requests of {len(PEOPLE)} people, {company.DAYS} days up to "
        f"{arguments.until}, {size / 1e6:.0f} MB in {arguments.out}"
    )


if __name__ == "__main__":
    main()
