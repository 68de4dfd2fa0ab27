"""HTTP intake of events as they happen."""
