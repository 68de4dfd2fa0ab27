"""Which store a customer's events wait in: a file under the home, or the one a URL names."""

from pathlib import Path

from dlt_pipelines.config import Settings
from dlt_pipelines.errors import UsageError
from dlt_pipelines.event_store import EventStore
from dlt_pipelines.event_store.sqlite_store import SqliteStore

REDIS_SCHEMES = ("redis://", "rediss://")


def open_store(settings: Settings) -> EventStore:
    """Open the customer's store, made at its first use.

    Raises UsageError for a URL of something else, EventStoreError where it cannot be opened.
    """
    if _is_redis(settings):
        from dlt_pipelines.event_store.redis_store import RedisStore

        return RedisStore(settings.event_store_url, settings.customer)
    return SqliteStore(_file(settings))


def has_store(settings: Settings) -> bool:
    """Say whether anything was ever pushed for the customer; makes nothing."""
    if _is_redis(settings):
        from dlt_pipelines.event_store.redis_store import has_redis_store

        return has_redis_store(settings.event_store_url, settings.customer)
    return _file(settings).exists()


def _is_redis(settings: Settings) -> bool:
    url = settings.event_store_url
    if url and not url.startswith(REDIS_SCHEMES):
        # the URL may hold a password: it is not repeated
        raise UsageError("MINDWEAVE_EVENT_STORE is no redis://host:port/0: correct it or unset it")
    return bool(url)


def _file(settings: Settings) -> Path:
    return settings.home / "events" / f"{settings.customer}.sqlite"
