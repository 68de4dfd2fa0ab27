from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from dlt_pipelines import config
from dlt_pipelines.config import (
    configured_sources,
    expand_path,
    fingerprint_settings,
    read_settings,
    source_configuration,
    validated,
)
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError, UsageError


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    for name in (
        "MINDWEAVE_HOME",
        "MINDWEAVE_WAREHOUSE",
        "MINDWEAVE_CUSTOMER",
        "PGUSER",
        "PGPASSWORD",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "PROJECT_DIR", tmp_path)


@pytest.fixture
def write(tmp_path):
    """Write a file of ``.dlt``."""
    (tmp_path / ".dlt").mkdir()
    return lambda name, text: (tmp_path / ".dlt" / name).write_text(text, "utf-8")


def test_without_environment_all_is_in_a_folder_here_and_the_customer_is_local(tmp_path):
    settings = read_settings()

    assert settings.home == tmp_path / ".mindweave"
    assert settings.warehouse_url == str(tmp_path / ".mindweave" / "mindweave.duckdb")
    assert settings.customer == "local"


def test_the_environment_says_where_and_who_and_an_option_wins(monkeypatch, tmp_path):
    monkeypatch.setenv("MINDWEAVE_HOME", "elsewhere")
    monkeypatch.setenv("MINDWEAVE_WAREHOUSE", "postgresql://u@db/x")
    monkeypatch.setenv("MINDWEAVE_CUSTOMER", "acme")

    assert read_settings().home == tmp_path / "elsewhere"
    assert read_settings().warehouse_url == "postgresql://u@db/x"
    assert read_settings().customer == "acme"
    assert read_settings("globex").customer == "globex"


@pytest.mark.parametrize(
    ("url", "complete"),
    [
        ("postgresql://db/usage", "postgresql://etl:p%40ss@db/usage"),
        ("postgresql://me@db/usage", "postgresql://me:p%40ss@db/usage"),
        ("postgresql://me:own@db/usage", "postgresql://me:own@db/usage"),
        ("clickhouse://db:9000/?cluster=c", "clickhouse://loader:hunter2@db:9000/?cluster=c"),
    ],
)
def test_a_login_that_the_url_lacks_comes_from_the_environment_or_dlts_secrets(
    monkeypatch, write, url, complete
):
    write(
        "secrets.toml",
        '[destination.postgres.credentials]\nusername = "etl"\npassword = "p@ss"\n',
    )
    monkeypatch.setenv("MINDWEAVE_WAREHOUSE", url)
    monkeypatch.setenv("CLICKHOUSE_USER", "loader")
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "hunter2")

    assert read_settings().warehouse_url == complete


def test_a_customer_has_three_schemas():
    settings = read_settings("acme")

    assert (settings.raw_schema, settings.staging_schema, settings.marts_schema) == (
        "customer_acme_raw",
        "customer_acme_staging",
        "customer_acme",
    )


@pytest.mark.parametrize("slug", ["a", "acme", "a1_b2", "a" + "x" * 30])
def test_a_slug_may_be_short_and_long(slug):
    assert read_settings(slug).customer == slug


@pytest.mark.parametrize(
    "slug",
    ["Acme", "1acme", "_a", "a-b", "a b", "a.b", "a;drop", "ä", "a\n", "a" * 32, "../a", "a'"],
)
def test_a_slug_that_could_not_name_a_schema_is_refused(slug):
    with pytest.raises(UsageError, match="is not a slug: use a lower-case letter"):
        read_settings(slug)


@pytest.mark.parametrize("slug", ["acme_raw", "acme_staging"])
def test_no_customer_can_take_the_schema_of_another(slug):
    with pytest.raises(UsageError, match="ends like a schema of another customer"):
        read_settings(slug)


def test_a_bad_slug_in_the_environment_is_refused_too(monkeypatch):
    monkeypatch.setenv("MINDWEAVE_CUSTOMER", "Acme!")

    with pytest.raises(UsageError):
        read_settings()


def test_a_source_of_the_customer_wins_over_one_for_all_and_secrets_over_configuration(write):
    write("config.toml", '[sources.acme]\nurl = "all"\npage = 1\nkey = "config"\n')
    write(
        "secrets.toml",
        '[sources.acme]\nkey = "secret"\n[customers.globex.sources.acme]\nurl = "globex"\n',
    )

    assert source_configuration("local", "acme") == {"url": "all", "page": 1, "key": "secret"}
    assert source_configuration("globex", "acme") == {"url": "globex", "page": 1, "key": "secret"}
    assert source_configuration("local", "other") == {}


def test_without_configuration_the_source_is_the_one_that_needs_none(write):
    assert configured_sources("local") == ["claude_code"]
    write("config.toml", "[sources.acme]\n[customers.globex.sources.beta]\n")

    assert configured_sources("local") == ["acme"]
    assert configured_sources("globex") == ["acme", "beta"]


@pytest.mark.parametrize("content", ["[sources", '\udcff"'])
def test_a_broken_configuration_file_is_named(write, tmp_path, content):
    (tmp_path / ".dlt").joinpath("secrets.toml").write_text(content, "utf-8", "surrogateescape")

    with pytest.raises(MindweaveError, match=r"^secrets\.toml is not valid TOML"):
        source_configuration("local", "acme")


class Example(BaseModel):
    model_config = ConfigDict(extra="forbid")

    page_size: int = 10


@pytest.mark.parametrize(
    ("values", "where"),
    [({"page_size": "hunter2"}, "page_size"), ({"pagesize_hunter2": 1}, "pagesize_hunter2")],
)
def test_a_wrong_setting_is_named_and_its_value_is_not(values, where):
    with pytest.raises(MindweaveError) as caught:
        validated(Example, values, "acme")

    message = str(caught.value)
    assert message.startswith(f"source acme: {where}: ")
    assert message.endswith("`mindweave sources acme` prints what is allowed")
    assert "hunter2" not in message.replace(where, "")


def test_fingerprints_are_made_as_the_customer_says_and_the_environment_wins(write, monkeypatch):
    write(
        "config.toml",
        "[fingerprints]\nleave_out_volatile = true\nsketch_size = 64\n"
        "[customers.acme.fingerprints]\nsketch_size = 128\n",
    )
    chosen = {name: fingerprint_settings(name) for name in ("acme", "globex")}
    assert {name: one.sketch_size for name, one in chosen.items()} == {"acme": 128, "globex": 64}
    assert all(one.leave_out_volatile for one in chosen.values())

    monkeypatch.setenv("FINGERPRINTS__SKETCH_SIZE", "512")
    monkeypatch.setenv("CUSTOMERS__ACME__FINGERPRINTS__LEAVE_OUT_VOLATILE", "false")
    assert fingerprint_settings("acme").model_dump() == {
        "leave_out_volatile": False,
        "sketch_size": 512,
    }


def test_without_configuration_256_hashes_are_kept_and_everything_counts():
    assert fingerprint_settings("local").model_dump() == {
        "leave_out_volatile": False,
        "sketch_size": 256,
    }


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[fingerprints]\nsketch_size = 15", "sketch_size"),
        ("[fingerprints]\nsketch_size = 4097", "sketch_size"),
        ("[fingerprints]\nsketch_size = 'many'", "sketch_size"),
        ("[fingerprints]\nleave_out_volatile = 'secret'", "leave_out_volatile"),
        ("[fingerprints]\nthreshold = 1", "threshold"),
        ("fingerprints = true", "configuration"),
    ],
)
def test_a_wrong_setting_of_fingerprints_is_one_line_without_its_value(write, text, where):
    write("config.toml", text)

    with pytest.raises(MindweaveError, match=rf"^fingerprints: {where}: [^\n]*$") as raised:
        fingerprint_settings("local")
    assert "secret" not in str(raised.value)


def test_paths_know_the_users_home_and_ours(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/dana")

    assert expand_path("~/.claude", tmp_path) == Path("/home/dana/.claude")
    assert expand_path("$MINDWEAVE_HOME/demo", tmp_path) == tmp_path / "demo"


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite:///x.db", "http://h"])
def test_a_warehouse_of_an_unknown_kind_is_refused(url):
    with pytest.raises(UsageError, match=r"unknown scheme .* use a DuckDB path, postgresql://"):
        _ = warehouse_at(url).engine


def test_a_warehouse_is_never_named_with_its_password():
    assert (
        warehouse_at("postgresql://me:hunter2@db:5432/usage").label == "postgresql://db:5432/usage"
    )
