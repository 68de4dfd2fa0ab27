"""What it takes to find similar work among many calls, on DuckDB.

usage: python -m tests.bench.bench_hivemind [--calls N...]

Each size (default 0.1, 1 and 5 million calls) has a fifth as many distinct prompts of 60 words, so
58 shingles; a third of them are near-copies of another one. Every call is led to by a prompt of its
own. The rows are written straight into the tables that the project's models read; sketches are
random numbers, as keyed hashes are. dbt then builds all models from the prompts to the marts. The
worst case is of one size: half of the prompts have half of their shingles from one template.

It needs some 2 kB of disk a call, below the folder for temporary files. Leave the machine alone
meanwhile: ratios are of one run, but not of one moment.
"""

import argparse
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.load import make_missing_tables
from tests import transcripts
from tests.bench.bench_engines import (
    Costs,
    Engine,
    duckdb_engine,
    in_process,
    invoke_dbt,
    open_duckdb,
    run_models,
)

WORST_CASE = 1_000_000
CALLS_OF_A_PROMPT = 5
SHINGLES = 58
SHINGLES_OF_THE_TEMPLATE = 30
CHANGED_SHINGLES = 3  # one word in the middle changes three
PROMPTS_OF_A_CHUNK = 50_000
CALLS_OF_A_SESSION = 20
PEOPLE, TEAMS, SECONDS = 997, 20, 90 * 86400

MODELS = (
    "int_prompts__deduplicated",
    "int_prompts__calls",
    "int_hivemind__requests",
    "int_hivemind__fingerprints",
    "int_hivemind__shingles",
    "int_hivemind__shared_shingles",
    "int_hivemind__boilerplate",
    "int_hivemind__postings",
    "int_hivemind__candidates",
    "int_hivemind__pairs",
    "int_hivemind__episodes",
    "int_hivemind__links",
    "int_hivemind__groups",
    "int_hivemind__members",
    "int_hivemind__original_pairs",
    "int_hivemind__pattern_requests",
    "int_hivemind__calls",
    "int_hivemind__daily",
    "hivemind_patterns",
    "hivemind_pattern_calls",
    "hivemind_templates",
)
RAW, STAGING, MARTS = "customer_bench_raw", "customer_bench_staging", "customer_bench"


def main() -> None:
    """Measure one size after the other, then the worst case beside the same size without it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, nargs="+", default=[100_000, WORST_CASE, 5_000_000])
    sizes = parser.parse_args().calls
    print(f"{os.cpu_count()} cores", flush=True)
    seconds = {size: measure(size) for size in sizes}
    for size, next_size in zip(sizes, sizes[1:], strict=False):
        ratio = seconds[next_size] / seconds[size]
        print(f"{next_size / size:4.0f} × the calls {ratio:8.2f} × the time")
    worst_of = WORST_CASE if WORST_CASE in sizes else sizes[0]
    worst = measure(worst_of, has_template=True)
    print(f"worst case {worst / seconds[worst_of]:8.2f} × the time (at most 2)")


def measure(calls: int, *, has_template: bool = False) -> float:
    """Print what one size takes and what it finds; return the seconds of all models."""
    label = ", half of them of one template" if has_template else ""
    print(f"{calls:,} calls{label}", flush=True)
    with tempfile.TemporaryDirectory() as folder, duckdb_engine(Path(folder) / "home") as engine:
        in_process(prepare, engine)
        in_process(fill, engine, calls, has_template)
        costs: Costs = defaultdict(list)
        run_models(engine, costs, "", models=MODELS)
        for name, [cost] in costs.items():
            cpu = f"{cost.cpu_seconds:8.2f} s of CPU" if cost.cpu_seconds is not None else ""
            print(f"  {name:42} {cost.seconds:8.2f} s {cpu}")
        print(f"  {engine.query(FOUND)[0]}", flush=True)
        [seconds, *_] = (cost.seconds for [cost] in costs.values())
    return seconds


FOUND = f"""
    select
        (select count(*) from {STAGING}.int_hivemind__fingerprints) as fingerprints,
        (select count(*) from {STAGING}.int_hivemind__shingles) as shingles,
        (select count(*) from {STAGING}.int_hivemind__candidates) as candidates,
        (select count(*) from {STAGING}.int_hivemind__pairs) as pairs,
        (select count(*) from {STAGING}.int_hivemind__links) as links,
        (select count(*) from {MARTS}.hivemind_patterns) as patterns,
        (select count(*) from {MARTS}.hivemind_pattern_calls) as calls_of_patterns,
        (select count(*) from {MARTS}.hivemind_templates) as templates
"""


def prepare(engine: Engine) -> None:
    """Let the project make its tables from one transcript."""
    path = engine.settings.home / "transcripts" / "one.jsonl"
    transcripts.write(path, transcripts.answer())
    transcripts.load(engine.settings, path.parent)
    make_missing_tables(engine.settings)
    invoke_dbt(
        engine,
        "build",
        *("--select", *(f"+{name}" for name in MODELS)),
        *("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
    )


def fill(engine: Engine, calls: int, has_template: bool) -> None:
    """Put prompts, their fingerprints and the calls that they led to where the models read them."""
    random = np.random.default_rng(7)
    warehouse: Any = warehouse_at(engine.settings.warehouse_url)
    with open_duckdb(warehouse.path) as connection:
        connection.execute("create temp table hashes (prompt bigint, dedup_hash text)")
        template = random.integers(0, 1 << 63, SHINGLES_OF_THE_TEMPLATE, np.int64, endpoint=False)
        prompts = calls // CALLS_OF_A_PROMPT
        for first in range(0, prompts, PROMPTS_OF_A_CHUNK):
            count = min(PROMPTS_OF_A_CHUNK, prompts - first)
            sketches = some_sketches(random, count, template if has_template else None)
            hashes = texts(random.integers(0, 1 << 63, (count, 4), np.int64))
            rows = pa.table(
                {
                    "prompt": np.arange(first, first + count),
                    "dedup_hash": hashes,
                    "sketch": sketches,
                }
            )
            connection.register("rows", rows)
            connection.execute("insert into hashes select prompt, dedup_hash from rows")
            connection.execute(FINGERPRINTS)
        connection.execute(PROMPTS.format(calls=calls, prompts=prompts))
        connection.execute(CALLS.format(calls=calls))


def some_sketches(
    random: np.random.Generator, count: int, template: np.ndarray | None
) -> list[str]:
    """Return sketches of whole prompts: every third changes one word of the one before."""
    shingles = random.integers(0, 1 << 63, (count, SHINGLES), np.int64)
    copies = np.arange(2, count, 3)
    shingles[copies, CHANGED_SHINGLES:] = shingles[copies - 1, CHANGED_SHINGLES:]
    if template is not None:
        shingles[: count // 2, -len(template) :] = template
    shingles.sort(axis=1)
    return texts(shingles)


def texts(numbers: np.ndarray) -> list[str]:
    """Return each row of numbers as hex digits, sixteen a number."""
    digits, width = numbers.astype(">u8").tobytes().hex(), numbers.shape[1] * 16
    return [digits[start : start + width] for start in range(0, len(digits), width)]


FINGERPRINTS = f"""
    insert into {RAW}.content_fingerprints by name
    select
        (select min(load_id) from {RAW}.loads) as load_id,
        'claude_code' as source,
        'prompt' as content_kind,
        dedup_hash,
        '1' as normalization,
        {SHINGLES} as shingle_count,
        256 as sketch_size,
        sketch
    from rows
"""
# which prompt each call repeats is scattered; people and teams are those of its session
OF_A_CALL = f"""
    range as n,
    range // {CALLS_OF_A_SESSION} as session,
    md5('session' || range // {CALLS_OF_A_SESSION}) as session_id,
    'person_' || hash(range // {CALLS_OF_A_SESSION}) % {PEOPLE} as user_id,
    'team_' || hash(range // {CALLS_OF_A_SESSION}) % {TEAMS} as team_id,
    timestamp '2026-01-01'
        + to_seconds(cast(hash(range // {CALLS_OF_A_SESSION}) % {SECONDS} as bigint))
        + to_seconds(range % {CALLS_OF_A_SESSION} * 60) as asked_at
"""
PROMPTS = f"""
    insert into {RAW}.claude_code_prompts by name
    select
        (select min(load_id) from {RAW}.loads) as load_id,
        session_id as file_id,
        n % {CALLS_OF_A_SESSION} as line_number,
        cast(md5('prompt' || n)::uuid as text) as record_uuid,
        session_id,
        user_id,
        team_id,
        dedup_hash,
        asked_at as observed_at
    from (select {OF_A_CALL} from range({{calls}})) as calls
    inner join hashes on calls.n % {{prompts}} = hashes.prompt
"""
CALLS = f"""
    insert into {STAGING}.int_calls__priced by name
    select
        'anthropic/msg_01' || left(md5('call' || n), 22) as call_id,
        session_id,
        user_id,
        team_id,
        'project-' || session % 40 as project,
        'claude-sonnet-4-5-20250929' as model_id,
        0 as mcp_call_count,
        n % 4000 as input_tokens,
        0 as cache_write_5m_tokens,
        0 as cache_write_1h_tokens,
        n % 90000 as cache_read_tokens,
        'success' as status,
        cast(n % 4000 * 3 * 0.000001 as decimal(38, 15)) as total_cost_usd,
        asked_at + interval 9 seconds as called_at,
        cast(asked_at as date) as usage_date
    from (select {OF_A_CALL} from range({{calls}}))
"""


if __name__ == "__main__":
    main()
