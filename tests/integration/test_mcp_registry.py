"""What lands from MCP registries and from dumps of them, in a real DuckDB file."""

from datetime import datetime
from pathlib import Path

import pytest

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.load import load_source
from tests.transcripts import home_settings, rows
from tests.vendors.mcp_registry import DATA, OFFICIAL, cursor_of, entries, registry

REAL_DUMP = Path(__file__).parents[3] / "shared" / "real" / "mcp_registry_seed_2025_05_16.json"
SERVERS = "/v0.1/servers"
NOW = datetime(2026, 6, 2, 12)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.delenv("MINDWEAVE_PRIVACY_KEY", raising=False)
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")


@pytest.fixture
def settings(tmp_path):
    return home_settings(tmp_path / "home")


@pytest.fixture
def listed():
    return entries()


@pytest.fixture
def server(listed):
    vendor = registry(listed)
    with vendor.running():
        yield vendor


def load(settings, server, **configuration):
    address = {"base_url": server.base_url, **configuration.pop("registry", {})}
    overrides = {"registries": [address], "page_size": 2, **configuration}
    return load_source(settings, "mcp_registry", overrides, now=NOW)


def versions(settings):
    return rows(
        settings,
        "select server_name, server_version, status from {raw}.mcp_registry_versions order by all",
    )


def everything(settings):
    tables = ("versions", "packages", "remotes")
    return {
        table: rows(
            settings,
            f"select * exclude load_id from {{raw}}.mcp_registry_{table} order by all",
        )
        for table in tables
    }


def all_listed():
    return sorted(
        (entry["server"]["name"], entry["server"]["version"], entry["_meta"][OFFICIAL]["status"])
        for entry in entries()
    )


class TestApi:
    def test_every_version_lands_page_by_page_with_the_deleted_ones(self, settings, server):
        result = load(settings, server)

        assert versions(settings) == all_listed()
        assert len(server.asked(SERVERS)) == 3
        assert result.counts.rows_quarantined == 0
        assert rows(
            settings, "select distinct unknown_fields, shape from {raw}.mcp_registry_versions"
        ) == [(None, "wrapped")]

    def test_packages_and_remotes_are_rows_without_what_hides_in_an_address(self, settings, server):
        load(settings, server)

        assert rows(
            settings,
            """
            select position, transport_type, url, url_host, url_path
            from {raw}.mcp_registry_remotes
            where server_name = 'com.example.maps/places' order by position
            """,
        ) == [
            (0, "streamable-http", "https://maps.example/mcp", "maps.example", "/mcp"),
            (1, "sse", "https://maps.example/sse", "maps.example", "/sse"),
        ]
        assert rows(
            settings,
            """
            select registry_type, identifier, package_version, required_secret_count
            from {raw}.mcp_registry_packages where server_version = '1.4.2'
            """,
        ) == [("npm", "@acme-tools/ticketdesk-mcp", "1.4.2", 1)]
        assert rows(
            settings,
            "select required_secret_count from {raw}.mcp_registry_versions "
            "where server_version = '1.4.2'",
        ) == [(2,)]

    def test_a_second_pull_asks_for_changes_only_and_writes_nothing(self, settings, server):
        load(settings, server)
        before = everything(settings)
        asked = len(server.requests)

        assert load(settings, server).load_id is None

        assert everything(settings) == before
        assert [request.one("updated_since") for request in server.requests[asked:]] == [
            "2026-05-31T09:15:00.000Z"
        ]

    def test_a_changed_entry_is_one_more_row(self, settings, server, listed):
        load(settings, server)
        clock = next(entry for entry in listed if entry["server"]["name"] == "org.example/clock")
        clock["_meta"][OFFICIAL] |= {"status": "deleted", "updatedAt": "2026-06-02T08:00:00Z"}

        load(settings, server)

        assert versions(settings) == sorted(
            [*all_listed(), ("org.example/clock", "2026.1", "deleted")]
        )

    def test_trouble_of_a_moment_changes_nothing(self, settings, server):
        server.fail_next(SERVERS, 429, headers={"Retry-After": "0"})
        server.fail_next(SERVERS, 500)
        server.truncate_next(SERVERS)
        server.repeat_next(SERVERS)
        load(settings, server)

        assert versions(settings) == all_listed()

    def test_a_long_list_lands_in_parts_and_goes_on_where_it_stopped(self, settings, server):
        load(settings, server, pages_per_load=1)

        assert versions(settings) == all_listed()
        loads = rows(settings, "select count(distinct load_id) from {raw}.mcp_registry_versions")
        assert loads == [(3,)]

    def test_a_cursor_that_the_registry_forgot_begins_the_pull_again(
        self, settings, server, listed, monkeypatch
    ):
        monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "1")
        server.pages_before_failure = 2
        with pytest.raises(MindweaveError, match="answered 503"):
            load(settings, server, pages_per_load=1)
        assert len(versions(settings)) == 4
        # the entry that the cursor names is gone
        asked = server.requests[-1].one("cursor")
        listed[:] = [entry for entry in listed if cursor_of(entry) != asked]
        server.pages_before_failure = None

        load(settings, server)

        assert server.asked(SERVERS)[4].one("cursor") is None
        assert versions(settings) == all_listed()

    def test_an_answer_without_a_list_does_not_end_the_pull(self, settings, server):
        server.fail_next(SERVERS, 200)

        with pytest.raises(MindweaveError, match="no list of servers"):
            load(settings, server)

    def test_another_registry_has_a_login_and_keys_of_its_own(self, settings, server, listed):
        private = registry(
            [entry for entry in listed if "maps" in entry["server"]["name"]], "s3cr3t"
        )
        with private.running():
            login = {"headers": {"Authorization": "Bearer s3cr3t"}}
            both = [{"base_url": server.base_url}, {"base_url": private.base_url, **login}]
            load_source(settings, "mcp_registry", {"registries": both}, now=NOW)
            with pytest.raises(MindweaveError, match="401: the key was refused") as caught:
                load(settings, private)

        assert "s3cr3t" not in str(caught.value)
        assert rows(
            settings,
            "select count(*), count(distinct registry_base) from {raw}.mcp_registry_versions",
        ) == [(8, 2)]

    def test_a_wrong_entry_is_put_aside_and_an_unknown_field_named(self, settings, server, listed):
        listed[0]["server"]["tools"] = [{"name": "geocode"}]
        listed[1]["_meta"][OFFICIAL]["isLatest"] = "yes"

        assert load(settings, server).counts.rows_quarantined == 1

        assert rows(settings, "select reason from {raw}.quarantine") == [
            (f"_meta.{OFFICIAL}.isLatest: Input should be a valid boolean",)
        ]
        assert rows(
            settings,
            "select unknown_fields from {raw}.mcp_registry_versions "
            "where unknown_fields is not null",
        ) == [("server.tools",)]

    def test_html_instead_of_json_is_one_line(self, settings, server):
        server.html_next(SERVERS, times=9)

        with pytest.raises(MindweaveError, match="HTML instead of JSON") as caught:
            load(settings, server)
        assert "\n" not in str(caught.value)


class TestFiles:
    @staticmethod
    def load(settings, *paths):
        return load_source(settings, "mcp_registry", {"paths": [str(path) for path in paths]})

    def test_each_shape_lands_in_the_same_columns(self, settings):
        flat, snake = DATA / "dump_2025_09_flat.json", DATA / "dump_2025_06_snake_case.json"
        result = self.load(settings, flat, snake)

        assert rows(
            settings,
            """
            select
                server_name, server_version, shape, status, published_at, is_latest,
                package_count, remote_count, required_secret_count, unknown_fields
            from {raw}.mcp_registry_versions order by published_at
            """,
        ) == [
            *[
                ("org.example/clock", "0.0.1-seed", "snake_case", None)
                + (datetime(2025, 5, 16, 18, 56, 49), True, 0, 0, 0, None)
            ],
            *[
                ("io.github.acme-tools/ticketdesk", "0.1.0", "snake_case", None)
                + (datetime(2025, 5, 20, 10), True, 1, 1, 1, None)
            ],
            *[
                ("io.github.acme-tools/ticketdesk", "0.9.0", "flat", "deprecated")
                + (datetime(2025, 9, 20, 8, 0, 0, 500000), True, 1, 1, 0, None)
            ],
        ]
        assert (
            rows(settings, "select registry_type, identifier from {raw}.mcp_registry_packages")
            == [("npm", "@acme-tools/ticketdesk-mcp")] * 2
        )
        assert rows(settings, "select distinct url from {raw}.mcp_registry_remotes") == [
            ("https://mcp.ticketdesk.example/sse",)
        ]
        # an entry without a name is nobody's
        assert result.counts.rows_quarantined == 1
        assert self.load(settings, flat, snake).load_id is None

    def test_a_file_that_is_none_is_one_line(self, settings, tmp_path):
        broken = tmp_path / "broken.json"
        broken.write_text('[{"name": ')
        for path, reason in [(tmp_path / "absent.json", "cannot be read"), (broken, "is not JSON")]:
            with pytest.raises(MindweaveError, match=reason):
                self.load(settings, path)

    @pytest.mark.skipif(not REAL_DUMP.exists(), reason="the real files are not here")
    def test_the_real_dump_loads(self, settings):
        result = self.load(settings, REAL_DUMP)

        # seven entries are empty, all alike: one of them is put aside, the others counted
        assert rows(
            settings,
            """
            select count(*), count(distinct server_name), sum(package_count), sum(remote_count)
            from {raw}.mcp_registry_versions
            """,
        ) == [(464, 464, 464, 9)]
        assert result.counts.rows_quarantined == 1
        assert result.counts.rows_ignored == 6
        assert rows(settings, "select count(*) from {raw}.mcp_registry_packages") == [(464,)]
        assert self.load(settings, REAL_DUMP).load_id is None
