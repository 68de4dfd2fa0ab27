"""The schedule: the flow of refresh.py every hour, one run of a customer at a time."""

import os

# before Prefect is imported, which reads them: no telemetry, and time for a slow machine
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
os.environ.setdefault("DO_NOT_TRACK", "1")


def serve_hourly(customer: str) -> None:
    """Run the flow now and every hour until the process is stopped."""
    from datetime import timedelta

    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy

    from flows.refresh import refresh

    refresh.serve(
        name=f"hourly-{customer}",
        interval=timedelta(hours=1),
        parameters={"customer": customer},
        global_limit=ConcurrencyLimitConfig(
            limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE
        ),
    )


if __name__ == "__main__":
    import sys

    serve_hourly(sys.argv[1])
