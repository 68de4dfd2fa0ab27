"""Orchestration: what runs in which order. The only place that imports Prefect or dbt's runner."""

import gc

# Almost all that a command allocates it keeps to its end: modules, dbt's project. By default Python
# looks through it for garbage so often that this takes a sixth of the time.
gc.set_threshold(100_000)
