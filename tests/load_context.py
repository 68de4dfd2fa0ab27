"""What a plugin knows of a run, for tests that ask a plugin itself."""

from datetime import datetime
from pathlib import Path
from typing import Any

from dlt_pipelines.plugin import LoadContext
from dlt_pipelines.privacy import CustomerKey


def load_context(landing: Path, **changes: Any) -> LoadContext:
    """Return the context of a run into an empty warehouse, but for the changes."""
    settings: dict[str, Any] = {
        "customer": "local",
        "load_id": "load-1",
        "home": landing,
        "key": CustomerKey(b"k" * 32),
        "bulk_format": "parquet",
        "landing": landing,
        "read_raw": lambda sql: None,
        "progress": lambda done, total: None,
        "now": datetime(2026, 11, 6),
    }
    return LoadContext(**settings | changes)
