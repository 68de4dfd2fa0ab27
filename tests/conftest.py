"""Fixtures that every kind of test shares."""

from collections.abc import Iterator

import pytest

from tests import servers


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Serve one PostgreSQL for the whole session; the URL is its superuser's."""
    with servers.postgres() as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """Give a fresh database of its own to one test."""
    with servers.postgres_database(postgres_url) as url:
        yield url
