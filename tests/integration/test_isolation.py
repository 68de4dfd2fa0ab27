"""A reader's role sees the marts of one customer, and nothing else of anybody."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import psycopg2.errors
import pytest

from dlt_pipelines.config import Settings
from tests import servers, transcripts

CUSTOMERS = ("acme", "globex")
READER_PREFIX = "reader_"
MARTS = ("cost_by_team", "cost_by_team_daily", "mcp_calls", "mcp_tool_calls", "load_report")
NOT_FOR_READERS = (
    "{customer}_raw.claude_code_messages",
    "{customer}_raw.loads",
    "{customer}_raw._dlt_loads",
    "{customer}_staging.stg_claude_code__messages",
    "{customer}_staging.int_calls__priced",
    "{customer}_staging.model_prices",
)


def marts(customer: str) -> list[str]:
    return [f"customer_{customer}.{mart}" for mart in MARTS]


def relations() -> list[str]:
    """Return marts of both customers, and what no reader may see."""
    return [
        relation
        for customer in CUSTOMERS
        for relation in (
            *marts(customer),
            *(name.format(customer=f"customer_{customer}") for name in NOT_FOR_READERS),
        )
    ]


def build(home: Path, customer: str, url: str, **variables: str) -> None:
    """Build with the command, as a user does."""
    variables |= {"MINDWEAVE_WAREHOUSE": url, "MINDWEAVE_CUSTOMER": customer}
    transcripts.succeeds(transcripts.mindweave(home, "build", **variables))


def load(home: Path, customer: str, url: str) -> None:
    source = transcripts.write(
        home.parent / customer / "s.jsonl", transcripts.answer(1), transcripts.tool_use(2)
    )
    transcripts.load(Settings(home, url, customer), source)


class TestPostgres:
    @pytest.fixture
    def readers(self, postgres_url: str) -> Iterator[None]:
        """Make a role for each customer; roles belong to the server, not to the test's database."""
        roles = [READER_PREFIX + customer for customer in CUSTOMERS]
        self.execute(postgres_url, *(f"create role {role} login password 'x'" for role in roles))
        yield
        self.execute(postgres_url, *(f"drop role {role}" for role in roles))

    @pytest.fixture
    def database(self, readers: None, postgres_url: str) -> Iterator[str]:
        """Give a database that is gone before the roles that may read it."""
        with servers.postgres_database(postgres_url) as url:
            yield url

    def test_each_reader_reads_its_own_marts_and_scenarios_after_every_rebuild_and_nothing_else(
        self, database: str, tmp_path: Path
    ) -> None:
        home = tmp_path / "home"
        switched_on = {"MINDWEAVE_READER_PREFIX": READER_PREFIX}
        for customer in CUSTOMERS:
            load(home, customer, database)
        build(home, "acme", database)
        build(home, "globex", database, **switched_on)
        self.assert_reads(database, "acme", [])
        self.assert_reads(database, "globex", marts("globex"))

        build(home, "acme", database, **switched_on)
        self.assert_reads(database, "acme", marts("acme"))

        for state in (home / "dbt" / "acme").glob("built-*.json"):
            state.unlink()  # as if the models had changed: everything is built anew
        build(home, "acme", database, **switched_on)
        self.assert_reads(database, "acme", marts("acme"))

        arguments = ("restate", "--as-known-on", "2026-01-01", "--customer", "acme")
        switched_on["MINDWEAVE_WAREHOUSE"] = database
        transcripts.succeeds(transcripts.mindweave(home, *arguments, **switched_on))
        self.assert_reads_scenario(database)

    def test_a_reader_that_does_not_exist_is_named_in_one_line(
        self, postgres_database: str, tmp_path: Path
    ) -> None:
        home = tmp_path / "home"
        load(home, "acme", postgres_database)
        failed = transcripts.mindweave(
            home,
            *("build", "--customer", "acme"),
            MINDWEAVE_WAREHOUSE=postgres_database,
            MINDWEAVE_READER_PREFIX="nobody_",
        )
        assert failed.returncode == 1
        transcripts.assert_one_line(failed.stderr)
        assert 'role "nobody_acme" does not exist' in failed.stderr

    @staticmethod
    def execute(url: str, *statements: str) -> None:
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()

    @classmethod
    def assert_reads(cls, url: str, customer: str, readable: list[str]) -> None:
        """Check what the customer's reader can select from all there is, and that it only reads."""
        reader = f"postgresql://{READER_PREFIX}{customer}:x@{url.partition('@')[2]}"
        assert [name for name in relations() if cls.can_select(reader, name)] == readable
        for statement in (
            f"create table customer_{customer}.mine (id text)",
            f"delete from customer_{customer}.cost_by_team",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cls.execute(reader, statement)

    @classmethod
    def assert_reads_scenario(cls, url: str) -> None:
        """Check that a customer's reader sees the marts of its scenario, and nobody else does."""
        mine, others = (
            f"postgresql://{READER_PREFIX}{customer}:x@{url.partition('@')[2]}"
            for customer in CUSTOMERS
        )
        for readable in (*marts("acme"), "restated_acme.cost_by_team"):
            assert cls.can_select(mine, readable)
        assert not cls.can_select(mine, "restated_acme_staging.int_calls__priced")
        assert not cls.can_select(others, "restated_acme.cost_by_team")

    @classmethod
    def can_select(cls, url: str, relation: str) -> bool:
        try:
            cls.execute(url, f"select count(*) from {relation}")
        except psycopg2.errors.InsufficientPrivilege:
            return False
        return True


class TestClickHouse:
    USERS = "".join(
        f"""
        <{READER_PREFIX}{customer}>
            <password>x</password>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants><query>GRANT SELECT ON customer_{customer}.*</query></grants>
        </{READER_PREFIX}{customer}>"""
        for customer in CUSTOMERS
    )

    def test_each_reader_reads_its_own_marts_and_nothing_else(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        with servers.clickhouse_cluster(more_users=self.USERS) as url:
            for customer in CUSTOMERS:
                load(home, customer, url)
                build(home, customer, url)
            for customer in CUSTOMERS:
                self.assert_reads(url, customer)

    @classmethod
    def assert_reads(cls, url: str, customer: str) -> None:
        """Check what the customer's reader can select from all there is, and that it only reads."""
        reader = f"clickhouse://{READER_PREFIX}{customer}:x@{url.partition('@')[2]}"
        readable = [name for name in relations() if cls.is_allowed(reader, f"select * from {name}")]
        assert readable == marts(customer)
        mart = f"customer_{customer}.cost_by_team"
        assert not cls.is_allowed(reader, f"create table {mart}_mine (id String) engine = Memory")
        assert not cls.is_allowed(reader, f"truncate table {mart}")

    @staticmethod
    def is_allowed(url: str, statement: str) -> bool:
        try:
            servers.clickhouse_query(url, statement)
        except RuntimeError as error:
            assert "ACCESS_DENIED" in str(error)
            return False
        return True
