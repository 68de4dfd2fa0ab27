"""Every source at once: `mindweave run` over vendors that stumble, and what a second run adds."""

import contextlib
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from dlt_pipelines.config import Settings, read_settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.load import load_source
from dlt_pipelines.plugin import installed_plugins
from flows import cli, steps
from tests import otlp, transcripts
from tests.vendors import anthropic_admin, anthropic_compliance, litellm, mcp_registry, openai_admin

NOW = datetime(2026, 11, 6, 10, 30)
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


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
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


@pytest.fixture
def configured(vendors: Vendors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configure every source in the environment; return the home."""
    files = tmp_path / "files"
    transcripts.write(files / "claude" / "s.jsonl", transcripts.tool_use(1), transcripts.answer(2))
    otlp.write(files / "otlp.json", otlp.logs(otlp.api_request(), otlp.tool_result()))
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.2",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 80,
    }
    span = otlp.span("chat gpt-5.2", **attributes)
    agent = {"service.name": "support-agent"}
    otlp.write(files / "spans.json", otlp.traces(span, resource=agent))
    (files / "calls.csv").write_text("time,in,out\n2026-08-03T10:00:00Z,1000,100\n", "utf-8")
    home = tmp_path / "home"
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
        monkeypatch.setenv(f"SOURCES__{name}", value)
    for name in ("MINDWEAVE_WAREHOUSE", "MINDWEAVE_CUSTOMER", "MINDWEAVE_PRIVACY_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MINDWEAVE_HOME", str(home))
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
    # the vendors tell of days that are past by now
    monkeypatch.setattr(steps, "load_source", functools.partial(load_source, now=NOW))
    # the site is tested apart
    monkeypatch.setattr(steps, "publish_site", steps.site_folder)
    return home


def mindweave(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command here, so that it takes the vendors' clock for its own; return its status."""
    monkeypatch.setattr(sys, "argv", ["mindweave", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def count(settings: Settings, relation: str) -> int:
    [row] = (
        warehouse_at(settings.warehouse_url)
        .query(f"select count(*) as row_count from {relation}")
        .to_pylist()
    )
    return int(row["row_count"])


def landed(settings: Settings) -> dict[str, int]:
    """Return how many rows each source's raw tables hold."""
    tables = [table.name for plugin in installed_plugins().values() for table in plugin.tables]
    return {
        name: count(settings, f"{settings.raw_schema}.{name}")
        for name in sorted({*tables, "quarantine"})
    }


def test_every_source_through_faults_and_a_wrong_key_and_again(
    configured: Path,
    vendors: Vendors,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    vendors.stumble()
    monkeypatch.setenv("SOURCES__LITELLM__API_KEY", WRONG_KEY)

    assert mindweave(monkeypatch, "run") == 1

    said = capsys.readouterr()
    transcripts.assert_one_line(said.err)
    assert "litellm" in said.err
    assert "the key was refused" in said.err
    assert WRONG_KEY not in said.out + said.err
    loaded = [line.partition(":")[0] for line in said.out.splitlines() if " loaded, " in line]
    assert loaded == [source for source in SOURCES if source != "litellm"]
    settings = read_settings("local")
    first = landed(settings)
    assert first["litellm_spend_logs"] == first["quarantine"] == 0
    for mart in PROMISED:
        assert count(settings, f"{settings.marts_schema}.{mart}"), mart
    # one call that its transcript and its telemetry tell of, and one that each of three files does
    calls = f"select source_count from {settings.marts_schema}.mcp_calls order by source_count"
    found = warehouse_at(settings.warehouse_url).query(calls).to_pylist()
    assert [call["source_count"] for call in found] == [1, 1, 1, 2]

    monkeypatch.setenv("SOURCES__LITELLM__API_KEY", litellm.KEY)
    assert mindweave(monkeypatch, "load") == 0

    said = capsys.readouterr()
    assert said.err == ""
    assert [line for line in said.out.splitlines() if line.endswith("nothing new")] == [
        f"{source}: nothing new" for source in SOURCES if source != "litellm"
    ]
    second = landed(settings)
    changed = {name for name, rows in second.items() if rows != first[name]}
    assert "litellm_spend_logs" in changed
    assert {name.partition("_")[0] for name in changed} == {"litellm"}

    assert mindweave(monkeypatch, "load") == 0
    assert capsys.readouterr().out == "".join(f"{source}: nothing new\n" for source in SOURCES)
    assert landed(settings) == second


@pytest.mark.parametrize("server", ["postgres_database", "clickhouse"])
def test_every_source_lands_the_same_on_a_server(
    configured: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    server: str,
    request: pytest.FixtureRequest,
) -> None:
    assert mindweave(monkeypatch, "load") == 0
    on_file = landed(read_settings("local"))

    monkeypatch.setenv("MINDWEAVE_WAREHOUSE", request.getfixturevalue(server))
    assert mindweave(monkeypatch, "load") == 0
    assert landed(read_settings("local")) == on_file
    assert sum(on_file.values()) > 100

    capsys.readouterr()
    assert mindweave(monkeypatch, "load") == 0
    assert capsys.readouterr().out == "".join(f"{source}: nothing new\n" for source in SOURCES)
