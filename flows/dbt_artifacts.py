"""What dbt wrote of a build for readers of the site: what a measure means, what its tests found."""

import json
import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from dlt_pipelines.errors import MindweaveError

MEASURE = re.compile(r"\w+_(usd|calls|tokens|ratio|rows|ms)")
FACETS = ("Counts", "Formula", "Adds up", "Leaves out", "Trusts")

TEST_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("relation", "rule", "columns", "outcome")),
        ("failures", pa.int64()),
        ("tested_at", pa.timestamp("us")),
    ]
)
# whose columns a test is of, as dbt's own tests and ours name them
COLUMN_ARGUMENTS = ("columns", "column_name", "key_columns")


def metrics(manifest: Path, marts: Collection[str]) -> pa.Table:
    """Return a row for each measure of each of these marts, as dbt's manifest documents it."""
    rows = []
    for node in _nodes(manifest).values():
        if node["resource_type"] != "model" or node["name"] not in marts:
            continue
        for column in node["columns"].values():
            if MEASURE.fullmatch(column["name"]):
                rows.append(
                    {
                        "metric": column["name"],
                        "mart": node["name"],
                        "grain": node["description"],
                        "sql": node.get("compiled_code") or node["raw_code"],
                        "version": node["checksum"]["checksum"][:12],
                        **_facets(column["description"]),
                    }
                )
    names = ("metric", "mart", "grain", "sql", "version", *map(_facet_name, FACETS))
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in names]))


def model_tests(manifest: Path, run_results: Path) -> pa.Table:
    """Return a row for each test that the last build ran, as `TEST_SCHEMA`; none before a build.

    ``outcome`` is dbt's status (pass, warn, fail, error, skipped), ``failures`` how many rows are
    against the rule, ``tested_at`` UTC.
    """
    try:
        results = json.loads(run_results.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or of a build that was killed
        return TEST_SCHEMA.empty_table()
    tested_at = datetime.fromisoformat(results["metadata"]["generated_at"])
    nodes = _nodes(manifest)
    rows = []
    for result in results["results"]:
        node = nodes.get(result["unique_id"])
        if node is None or node["resource_type"] != "test":
            continue
        generic = node.get("test_metadata") or {}
        rule = generic.get("name") or node["name"].removeprefix("assert_")
        tested = [node["attached_node"]] if generic else node["depends_on"]["nodes"]
        rows.append(
            {
                "relation": ", ".join(name.rpartition(".")[2] for name in tested),
                "rule": rule.replace("_", " "),
                "columns": _columns(generic.get("kwargs", {})),
                "outcome": result["status"],
                "failures": result["failures"],
                "tested_at": tested_at.astimezone(UTC).replace(tzinfo=None),
            }
        )
    return pa.Table.from_pylist(rows, TEST_SCHEMA)


def _nodes(manifest: Path) -> dict[str, Any]:
    try:
        nodes: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    except (OSError, ValueError, KeyError):
        raise MindweaveError(
            f"{manifest} does not say what the metrics mean: run `mindweave build` first"
        ) from None
    return nodes


def _columns(arguments: dict[str, Any]) -> str | None:
    for name in COLUMN_ARGUMENTS:
        if found := arguments.get(name):
            return found if isinstance(found, str) else ", ".join(found)
    return None


def _facets(description: str) -> dict[str, str | None]:
    """Split a documented measure into its facets; a plain text says what it counts."""
    parts = re.split(rf"\*\*({'|'.join(FACETS)})\*\*", description)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    facets: dict[str, str | None] = {
        _facet_name(facet): found[facet].strip() if facet in found else None for facet in FACETS
    }
    facets["counts"] = " ".join(filter(None, (parts[0].strip(), facets["counts"]))) or None
    return facets


def _facet_name(facet: str) -> str:
    return facet.lower().replace(" ", "_")
