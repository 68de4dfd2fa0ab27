"""Fixtures that every kind of test shares."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import servers

if TYPE_CHECKING:
    import httpx

    from tests.intake import Intake


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


@pytest.fixture(scope="session")
def clickhouse_url() -> Iterator[str]:
    """Serve one ClickHouse for the whole session."""
    with servers.clickhouse() as url:
        yield url


@pytest.fixture
def clickhouse(clickhouse_url: str) -> Iterator[str]:
    """Give the ClickHouse to one test; what it made for customers is dropped afterwards."""
    yield clickhouse_url
    servers.drop_customer_databases(clickhouse_url)


@pytest.fixture(scope="session")
def clickhouse_cluster_url() -> Iterator[str]:
    """Serve one ClickHouse cluster of two shards for the whole session."""
    with servers.clickhouse_cluster() as url:
        yield url


@pytest.fixture
def clickhouse_cluster(clickhouse_cluster_url: str) -> Iterator[str]:
    """Give the cluster to one test; what it made for customers is dropped afterwards."""
    yield clickhouse_cluster_url
    servers.drop_customer_databases(clickhouse_cluster_url)


@pytest.fixture(scope="session")
def redis_for_session() -> Iterator[servers.RedisServer]:
    """Serve one Redis that keeps what it acknowledges."""
    with servers.redis_server() as server:
        yield server


@pytest.fixture
def redis_server(redis_for_session: servers.RedisServer) -> Iterator[servers.RedisServer]:
    """Give the Redis to one test, empty."""
    redis_for_session.ask("FLUSHALL")
    yield redis_for_session


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Intake]":
    """Serve one intake for the tests of a module."""
    from tests.intake import serving  # most tests have no use for what it imports

    with serving(tmp_path_factory.mktemp("intake")) as found:
        yield found


@pytest.fixture
def customer(request: pytest.FixtureRequest) -> str:
    """Name a customer of the test's own, whose log is empty."""
    return f"c{abs(hash(request.node.nodeid)) % 10**12}"


@pytest.fixture
def client(intake: "Intake", customer: str) -> "Iterator[httpx.Client]":
    """Give a client with a token of the test's customer."""
    with intake.client(customer) as found:
        yield found
