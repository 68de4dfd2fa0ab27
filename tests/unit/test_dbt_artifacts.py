"""What a reader of the site is told of dbt's own files."""

from datetime import datetime
from pathlib import Path

import pytest

from dlt_pipelines.errors import MindweaveError
from flows.dbt_artifacts import metrics, model_tests
from flows.publish import SITE_MARTS

MANIFEST = Path(__file__).parent.parent / "fixtures" / "site" / "manifest.json"


def test_a_measure_says_what_it_counts_as_the_models_document_it(tmp_path: Path) -> None:
    (metric,) = metrics(MANIFEST, SITE_MARTS).to_pylist()
    assert metric == {
        "metric": "total_cost_usd",
        "mart": "cost_by_team",
        "grain": "**Grain:** one row per month, team and model.",
        "sql": "select the_sql_of_the_metric",
        "version": "0123456789ab",
        "counts": "what calls cost.",
        "formula": "tokens × price.",
        "adds_up": "over every grain.",
        "leaves_out": "calls without a price.",
        "trusts": "the price book.",
    }
    with pytest.raises(MindweaveError, match="mindweave build"):
        metrics(tmp_path / "manifest.json", SITE_MARTS)


def test_a_test_of_the_models_says_its_rule_and_what_it_found() -> None:
    found = model_tests(MANIFEST, MANIFEST.with_name("run_results.json")).to_pylist()

    tested_at = datetime(2026, 11, 22, 9, 1, 30, 250_000)
    assert [tuple(row.values()) for row in found] == [
        ("cost_by_team", "is key", "period, team_id, model_id", "pass", 0, tested_at),
        ("mcp_calls", "accepted values", "status", "warn", 3, tested_at),
        *[
            ("invoice_ladder, invoiced_costs", "the ladder ends at the invoice")
            + (None, "pass", 0, tested_at)
        ],
    ]


@pytest.mark.parametrize("content", [None, '{"metadata": {"gen'])
def test_before_a_whole_build_no_test_has_run(tmp_path: Path, content: str | None) -> None:
    results = tmp_path / "run_results.json"
    if content is not None:
        results.write_text(content, "utf-8")
    assert model_tests(MANIFEST, results).num_rows == 0
