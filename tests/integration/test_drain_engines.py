"""What is drained into a server is what is drained into a file, to the last digit."""

from decimal import Decimal
from pathlib import Path

import pytest

from dlt_pipelines.config import Settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.drain import drain
from tests import otlp
from tests.pushed import call, push

COLUMNS = "event_id, call_id, project, input_tokens, is_sidechain, cost_usd, called_at, dedup_hash"


@pytest.mark.parametrize("engine", ["clickhouse", "postgres_database"])
def test_calls_land_in_a_server_as_in_a_file(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    found = []
    for url in (str(tmp_path / "w.duckdb"), request.getfixturevalue(engine)):
        settings = Settings(tmp_path / "home", url, "local")
        asked = call(2, prompt="Why?", is_sidechain=True, project="")
        push(settings, [call(1, cost="0.123456789012345"), asked])
        push(settings, logs=otlp.logs(otlp.api_request(1)))
        assert not drain(settings).failures
        query = f"select {COLUMNS} from {settings.raw_schema}.events_calls order by event_id"
        found.append(warehouse_at(url).query(query).to_pylist())

    assert found[0] == found[1]
    assert found[0][0]["cost_usd"] == Decimal("0.123456789012345")
