"""Orchestration: what runs in which order. The only place that imports Prefect or dbt's runner."""
