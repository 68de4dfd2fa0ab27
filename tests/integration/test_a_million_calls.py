"""Money stays exact over many small amounts, on every engine."""

from decimal import Decimal

import pytest

from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.load import make_missing_tables
from dlt_pipelines.sources.claude_code.tables import MESSAGES
from flows.dbt_project import DbtProject
from tests.statements import execute
from tests.transcripts import answer, load, write

# 4 tokens in and 1 out of Sonnet 4.6: 0.000027 dollars
TINY = {
    "input_tokens": 4,
    "output_tokens": 1,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {},
    "server_tool_use": {},
}
NUMBERS = {
    "duckdb": "range(2, 1000001) as numbers (number)",
    "clickhouse": "numbers(2, 999999) as numbers",
}
COST_MARTS = ("cost_by_team", "cost_by_team_daily", "cost_by_mcp_daily", "cost_by_project_daily")


# a cluster calculates as one node does, and PostgreSQL's decimals have room for any sum
@pytest.fixture(params=["duckdb", "clickhouse"])
def settings(request, tmp_path):
    is_file = request.param == "duckdb"
    url = str(tmp_path / "mindweave.duckdb") if is_file else request.getfixturevalue("clickhouse")
    return Settings(tmp_path, url, "local")


def test_a_million_small_calls_cost_what_they_cost_together(settings):
    record = answer(1, timestamp="2026-05-01T00:00:00Z", usage=TINY)
    record["message"]["model"] = "claude-sonnet-4-6"
    load(settings, write(settings.home / "transcripts" / "one.jsonl", record))
    make_missing_tables(settings)
    warehouse = warehouse_at(settings.warehouse_url)
    messages = f"{settings.raw_schema}.{MESSAGES.name}"
    changes = {"line_number": "number", "message_id": "concat('msg_', number)"}
    execute(
        settings,
        f"insert into {messages} ({', '.join(MESSAGES.columns)}) "
        f"select {', '.join(changes.get(name, name) for name in MESSAGES.columns)} "
        f"from {messages} cross join {NUMBERS[warehouse.engine]}",
    )

    DbtProject(settings).build(
        *("--select", "+mcp_calls", *(f"+{mart}" for mart in COST_MARTS)),
        *("--exclude-resource-type", "test", "unit_test"),
    )

    for mart in ("mcp_calls", *COST_MARTS):
        [total] = warehouse.query(
            "select sum(list_cost_usd) as list_cost, sum(total_cost_usd) as cost "
            f"from {settings.marts_schema}.{mart}"
        ).to_pylist()
        assert total == {"list_cost": Decimal("27.000000"), "cost": Decimal("27.000000")}, mart
