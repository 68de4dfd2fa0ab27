"""Every source at once: `mindweave run` over vendors that stumble, and what a second run adds."""

import contextlib
import io
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dlt_pipelines.batches import read_batches
from dlt_pipelines.config import Settings, read_settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.load import LoadResult, load_source
from dlt_pipelines.plugin import installed_plugins
from flows import cli, steps
from flows.compare import public_marts
from tests import otlp, transcripts
from tests.vendors import anthropic_admin, anthropic_compliance, litellm, mcp_registry, openai_admin

NOW = datetime(2026, 11, 6, 10, 30)
PRIVACY_KEY = "the same pseudonyms everywhere, so it is the same"
WRONG_KEY = "sk-of-somebody-else"
SOURCES = (
    *("anthropic_admin", "anthropic_compliance", "claude_code", "claude_code_otel", "csv"),
    *("litellm", "mcp_registry", "openai_admin", "otel_genai"),
)
# each holds something of every kind of fact that the sources tell
PROMISED = (
    *("mcp_calls", "mcp_tool_calls", "usage_buckets", "invoiced_costs", "load_report"),
    "cost_reconciliation",
)
# these tell of the run itself, or of the port of a server, so no two runs agree on them
OF_THE_RUN = {
    *("load_id", "started_at", "finished_at", "last_loaded_at", "completed_at", "seconds"),
    *("check_id", "checked_at", "registry_base"),
}
CSV_COLUMNS = (
    '{vendor = {constant = "anthropic"}, requested_model = {constant = "claude-sonnet-4-6"}, '
    'observed_at = "time", input_tokens = "in", output_tokens = "out"}'
)


@dataclass
class Vendors:
    """The vendors' servers."""

    anthropic: anthropic_admin.AnthropicAdmin
    compliance: anthropic_compliance.AnthropicCompliance
    openai: openai_admin.OpenaiServer
    gateway: litellm.Gateway
    registry: mcp_registry.RegistryServer

    def stumble(self) -> None:
        """Answer what is asked first as vendors do on a bad day."""
        root = anthropic_admin.ROOT
        self.anthropic.server.fail_next(
            f"{root}/analytics/usage", 429, headers={"Retry-After": "0"}, times=2
        )
        self.anthropic.server.truncate_next(f"{root}/analytics/cost")
        self.openai.fail_next("/v1/organization/usage/completions", 500)
        self.openai.drop_next("/v1/organization/costs")
        self.openai.truncate_next("/v1/organization/audit_logs")
        self.compliance.server.fail_next(anthropic_compliance.PATH, 503)
        self.registry.fail_next("/v0.1/servers", 502)
        # there is nothing to repeat at first; then the first page comes for the second
        self.registry.repeat_next("/v0.1/servers", times=2)

    def go_on(self) -> None:
        """Let a day pass, on which they correct what they said of the days before."""
        self.anthropic.now += timedelta(days=1)
        self.anthropic.refreshed_at += timedelta(days=1)
        self.anthropic.usage[0]["usage"]["output_tokens"] += 5
        self.anthropic.costs[0]["amount"] = "0.000001"
        del self.anthropic.usage[-1]


@contextlib.contextmanager
def running_vendors() -> Iterator[Vendors]:
    found = Vendors(
        anthropic_admin.AnthropicAdmin(NOW),
        anthropic_compliance.AnthropicCompliance(),
        openai_admin.openai_server(),
        litellm.Gateway(),
        mcp_registry.registry(mcp_registry.entries()),
    )
    with contextlib.ExitStack() as running:
        for server in vars(found).values():
            running.enter_context(server.running())
        yield found


def write_files(folder: Path) -> Path:
    """Write what is read from the disk."""
    transcripts.write(folder / "claude" / "s.jsonl", transcripts.tool_use(1), transcripts.answer(2))
    otlp.write(folder / "otlp.json", otlp.logs(otlp.api_request(), otlp.tool_result()))
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.2",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 80,
    }
    span = otlp.span("chat gpt-5.2", **attributes)
    agent = {"service.name": "support-agent"}
    otlp.write(folder / "spans.json", otlp.traces(span, resource=agent))
    (folder / "calls.csv").write_text("time,in,out\n2026-08-03T10:00:00Z,1000,100\n", "utf-8")
    return folder


@contextlib.contextmanager
def configured(home: Path, files: Path, warehouse_url: str | None = None) -> Iterator[Vendors]:
    """Configure every source in the environment."""
    with running_vendors() as vendors, pytest.MonkeyPatch.context() as patched:
        settings = {
            "ANTHROPIC_ADMIN__API_KEY": anthropic_admin.ADMIN_KEY,
            "ANTHROPIC_ADMIN__BASE_URL": vendors.anthropic.server.base_url,
            "ANTHROPIC_ADMIN__HISTORY_DAYS": "7",
            "ANTHROPIC_COMPLIANCE__API_KEY": anthropic_compliance.COMPLIANCE_KEY,
            "ANTHROPIC_COMPLIANCE__BASE_URL": vendors.compliance.server.base_url,
            "CLAUDE_CODE__ROOTS": f'[{{path = "{files / "claude"}", team = "payments"}}]',
            "CLAUDE_CODE_OTEL__ROOTS": f'[{{path = "{files / "otlp.json"}"}}]',
            "CSV__FILES": (
                f'[{{path = "{files / "calls.csv"}", kind = "calls", columns = {CSV_COLUMNS}}}]'
            ),
            "LITELLM__API_KEY": litellm.KEY,
            "LITELLM__BASE_URL": vendors.gateway.base_url,
            "MCP_REGISTRY__REGISTRIES": f'[{{base_url = "{vendors.registry.base_url}"}}]',
            "MCP_REGISTRY__PAGE_SIZE": "2",
            "OPENAI_ADMIN__API_KEY": openai_admin.ADMIN_KEY,
            "OPENAI_ADMIN__BASE_URL": f"{vendors.openai.base_url}/v1",
            "OPENAI_ADMIN__START_DATE": "2026-08-01",
            "OPENAI_ADMIN__USAGE_REPORTS": '["completions", "embeddings"]',
            "OTEL_GENAI__ROOTS": f'[{{path = "{files / "spans.json"}"}}]',
        }
        for name, value in settings.items():
            patched.setenv(f"SOURCES__{name}", value)
        patched.delenv("MINDWEAVE_CUSTOMER", raising=False)
        patched.delenv("MINDWEAVE_WAREHOUSE", raising=False)
        if warehouse_url:
            patched.setenv("MINDWEAVE_WAREHOUSE", warehouse_url)
        patched.setenv("MINDWEAVE_PRIVACY_KEY", PRIVACY_KEY)
        patched.setenv("MINDWEAVE_HOME", str(home))
        patched.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")

        def load_on_their_day(*arguments: Any) -> LoadResult:
            return load_source(*arguments, now=vendors.anthropic.now)  # type: ignore[misc]

        # the vendors tell of days that are past by now
        patched.setattr(steps, "load_source", load_on_their_day)
        # the site is tested apart
        patched.setattr(steps, "publish_site", steps.site_folder)
        yield vendors


@dataclass
class Done:
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str

    @property
    def with_nothing_new(self) -> list[str]:
        return [
            line.partition(":")[0] for line in self.out.splitlines() if line.endswith("nothing new")
        ]


def mindweave(*arguments: str) -> Done:
    """Run the command here, so that it takes the vendors' clock for its own."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patched,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        patched.setattr(sys, "argv", ["mindweave", *arguments])
        cli.main()
    return Done(int(end.value.code or 0), out.getvalue(), err.getvalue())


def rows(settings: Settings, relation: str) -> pa.Table:
    with read_batches(warehouse_at(settings.warehouse_url), f"select * from {relation}") as found:
        return found.read_all()


def landed(settings: Settings) -> dict[str, int]:
    """Return how many rows each source's raw tables hold."""
    tables = [table.name for plugin in installed_plugins().values() for table in plugin.tables]
    names = sorted({*tables, "quarantine"})
    return {name: rows(settings, f"{settings.raw_schema}.{name}").num_rows for name in names}


def marts(settings: Settings) -> dict[str, pa.Table]:
    return {
        name: rows(settings, f"{settings.marts_schema}.{name}") for name in public_marts(settings)
    }


def shown(mart: pa.Table) -> tuple[list[Any], Counter[str]]:
    """Return the columns that are the same in every run, and how often each row is there."""
    same = mart.select([name for name in mart.schema.names if name not in OF_THE_RUN])
    types = [(field.name, field.type) for field in same.schema]
    return types, Counter(map(repr, same.to_pylist()))


@dataclass
class Story:
    """What the command said and left: with a wrong key, a day later, and once more."""

    with_wrong_key: Done
    landed_with_wrong_key: dict[str, int]
    a_day_later: Done
    landed: dict[str, int]
    again: Done
    landed_again: dict[str, int]
    marts: dict[str, pa.Table]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def on_file(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    home = tmp_path_factory.mktemp("on_file") / "home"
    with configured(home, files) as vendors:
        settings = read_settings("local")
        vendors.stumble()
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("SOURCES__LITELLM__API_KEY", WRONG_KEY)
            with_wrong_key = mindweave("load")
        landed_with_wrong_key = landed(settings)
        vendors.go_on()
        return Story(
            with_wrong_key,
            landed_with_wrong_key,
            a_day_later=mindweave("run"),
            landed=landed(settings),
            again=mindweave("run"),
            landed_again=landed(settings),
            marts=marts(settings),
        )


def test_with_a_wrong_key_and_faults_the_other_sources_land(on_file: Story) -> None:
    done = on_file.with_wrong_key

    assert done.status == 1
    transcripts.assert_one_line(done.err)
    assert "litellm" in done.err
    assert "the key was refused" in done.err
    assert WRONG_KEY not in done.out + done.err
    loaded = [line.partition(":")[0] for line in done.out.splitlines() if " loaded, " in line]
    assert loaded == [source for source in SOURCES if source != "litellm"]
    assert on_file.landed_with_wrong_key["litellm_spend_logs"] == 0
    assert on_file.landed_with_wrong_key["quarantine"] == 0


def test_what_came_or_was_corrected_since_reaches_the_marts_once(on_file: Story) -> None:
    assert on_file.a_day_later.status == on_file.again.status == 0
    assert on_file.a_day_later.err == on_file.again.err == ""
    before = on_file.landed_with_wrong_key
    changed = {name for name, count in on_file.landed.items() if count != before[name]}
    assert {"litellm_spend_logs", "anthropic_admin_usage", "anthropic_admin_costs"} <= changed
    assert on_file.again.with_nothing_new == list(SOURCES)
    assert on_file.landed_again == on_file.landed
    for mart in PROMISED:
        assert on_file.marts[mart].num_rows, mart
    # one call is told by its transcript and by its telemetry
    assert sorted(on_file.marts["mcp_calls"]["source_count"].to_pylist())[-2:] == [1, 2]


@pytest.mark.parametrize("server", ["postgres_database", "clickhouse"])
def test_a_server_shows_the_same_after_a_kill_faults_and_corrections(
    on_file: Story, files: Path, tmp_path: Path, server: str, request: pytest.FixtureRequest
) -> None:
    url: str = request.getfixturevalue(server)
    with configured(tmp_path / "home", files, url) as vendors:
        settings = read_settings("local")
        command = ("load", "--source", "otel_genai")
        killed = transcripts.Killed(
            settings.home, *command, MINDWEAVE_WAREHOUSE=url, MINDWEAVE_PRIVACY_KEY=PRIVACY_KEY
        )
        assert killed.when_there_is(settings.home, "dlt/*/*/load/normalized/*/*"), "too late"
        vendors.stumble()
        assert mindweave("load").status == 0
        vendors.go_on()
        assert mindweave("run").status == 0
        again = mindweave("run")

        assert (again.status, again.with_nothing_new) == (0, list(SOURCES))
        assert landed(settings) == on_file.landed
        found = marts(settings)
    assert found.keys() == on_file.marts.keys()
    for name, mart in on_file.marts.items():
        assert shown(found[name]) == shown(mart), name
