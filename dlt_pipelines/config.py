"""Settings of a run: from the environment, and for the sources also from ``.dlt/config.toml``.

MINDWEAVE_HOME       where the warehouse, the landing zone and the sites go   (./.mindweave)
MINDWEAVE_WAREHOUSE  a DuckDB path, postgresql://… or clickhouse://…  ($MINDWEAVE_HOME)
MINDWEAVE_CUSTOMER   the customer's slug                                        (local)
MINDWEAVE_EVENT_STORE  redis://… for events in Redis      ($MINDWEAVE_HOME/events/<customer>.sqlite)
"""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dlt_pipelines.errors import MindweaveError, UsageError

PROJECT_DIR = Path(__file__).resolve().parents[1]
Config = TypeVar("Config", bound=BaseModel)
DEFAULT_SOURCE = "claude_code"
CUSTOMER_SLUG = re.compile(r"[a-z][a-z0-9_]{0,30}")


@dataclass(frozen=True)
class Settings:
    """Where this run reads its settings from and writes to."""

    home: Path
    warehouse_url: str
    customer: str
    schema_prefix: str = "customer"
    """The first word of the schemas that a build writes; what was observed stays in one place."""
    event_store_url: str = ""
    """Where pushed events wait for the next drain; empty means a file under ``home``."""

    into: str | None = None
    """The schema of the marts where it is not named after the customer."""

    @property
    def raw_schema(self) -> str:
        """The schema that holds what was observed; only the loader writes it."""
        return f"customer_{self.customer}_raw"

    @property
    def staging_schema(self) -> str:
        """The schema of staging and intermediate models."""
        return f"{self.marts_schema}_staging"

    @property
    def marts_schema(self) -> str:
        """The schema that people and tools read."""
        return self.into or f"{self.schema_prefix}_{self.customer}"


class FingerprintSettings(BaseModel):
    """What a customer may choose; what was fingerprinted otherwise is not compared with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    leave_out_volatile: bool = Field(
        False,
        description="Take ids, times, paths and numbers of prompts as one word each kind.",
    )
    sketch_size: int = Field(
        256, ge=16, le=4096, description="How many hashes of shingles are kept at most."
    )


def read_settings(customer: str | None = None) -> Settings:
    """Read the settings from the environment; ``customer`` overrides MINDWEAVE_CUSTOMER.

    Raises UsageError for a slug that could not name a schema, or would name another customer's.
    """
    home = Path(os.environ.get("MINDWEAVE_HOME") or ".mindweave").expanduser().resolve()
    warehouse = os.environ.get("MINDWEAVE_WAREHOUSE") or str(home / "mindweave.duckdb")
    slug = customer or os.environ.get("MINDWEAVE_CUSTOMER") or "local"
    if not CUSTOMER_SLUG.fullmatch(slug):
        raise UsageError(
            f"customer {slug!r} is not a slug: use a lower-case letter, then up to 30 lower-case "
            "letters, digits or underscores"
        )
    if slug.endswith(("_raw", "_staging")):
        raise UsageError(
            f"customer {slug!r} ends like a schema of another customer: choose another slug"
        )
    return Settings(
        home=home,
        warehouse_url=with_login(warehouse),
        customer=slug,
        event_store_url=os.environ.get("MINDWEAVE_EVENT_STORE", ""),
    )


def source_configuration(customer: str, source: str) -> dict[str, Any]:
    """Return what ``.dlt/config.toml``, ``.dlt/secrets.toml`` and the environment say of a source.

    ``[customers.<slug>.sources.<source>]`` wins over ``[sources.<source>]``, which is what a
    project with one customer writes. In the environment ``SOURCES__<SOURCE>__<SETTING>`` and
    ``CUSTOMERS__<SLUG>__SOURCES__<SOURCE>__<SETTING>`` are the same, and win over the files.
    """
    merged: dict[str, Any] = {}
    for section in _source_sections(customer):
        merged |= section.get(source, {})
    return merged


def fingerprint_settings(customer: str) -> FingerprintSettings:
    """Return what is configured of fingerprints.

    ``[customers.<slug>.fingerprints]`` of ``.dlt/config.toml`` wins over ``[fingerprints]``, and
    ``CUSTOMERS__<SLUG>__FINGERPRINTS__<SETTING>`` and ``FINGERPRINTS__<SETTING>`` over the file.
    Raises MindweaveError naming the first setting that is wrong, never its value.
    """
    document = _read_toml(PROJECT_DIR / ".dlt" / "config.toml")
    scopes = (document, document.get("customers", {}).get(customer, {}))
    values: dict[str, Any] = {}
    try:
        for section in (
            *(scope.get("fingerprints", {}) for scope in scopes),
            _environment_section("").get("fingerprints", {}),
            _environment_section(f"CUSTOMERS__{customer.upper()}__").get("fingerprints", {}),
        ):
            FingerprintSettings.model_validate(section)
            values |= section
        return FingerprintSettings(**values)
    except ValidationError as error:
        raise MindweaveError(
            f"fingerprints: {_first_problem(error)}; docs/privacy.md says what is allowed"
        ) from None


def with_login(url: str) -> str:
    """Complete a server's URL by user and password, where it has none.

    They come from PGUSER and PGPASSWORD or CLICKHOUSE_USER and CLICKHOUSE_PASSWORD, else from
    ``[destination.postgres.credentials]`` or ``[destination.clickhouse.credentials]`` of
    ``.dlt/secrets.toml``. Raises UsageError for what is no URL.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme == "duckdb":
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError("MINDWEAVE_WAREHOUSE is not a URL") from None
    destination = "postgres" if scheme == "postgresql" else scheme
    prefix = "PG" if destination == "postgres" else f"{destination.upper()}_"
    secrets = _read_toml(PROJECT_DIR / ".dlt" / "secrets.toml").get("destination", {})
    stored = secrets.get(destination, {}).get("credentials", {})
    user = os.environ.get(f"{prefix}USER") or stored.get("username", "")
    password = os.environ.get(f"{prefix}PASSWORD") or stored.get("password", "")
    account = parts.username or quote(user, safe="")
    if secret := parts.password or quote(password, safe=""):
        account += f":{secret}"
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{account}@{place}" if account else place))


def configured_sources(customer: str) -> list[str]:
    """Return the sources that are configured for a customer, else the one that needs nothing."""
    return _names_of_sources(customer) or [DEFAULT_SOURCE]


def has_no_source(customer: str) -> bool:
    """Tell whether none is configured for a customer."""
    return not _names_of_sources(customer)


def _names_of_sources(customer: str) -> list[str]:
    return sorted({name for section in _source_sections(customer) for name in section})


def _source_sections(customer: str) -> list[dict[str, Any]]:
    """Return the settings of all sources, those that win last."""
    documents = [
        _read_toml(PROJECT_DIR / ".dlt" / name) for name in ("config.toml", "secrets.toml")
    ]
    customers = [document.get("customers", {}).get(customer, {}) for document in documents]
    return [
        *(scope.get("sources", {}) for scope in (*documents, *customers)),
        _environment_section("SOURCES__"),
        _environment_section(f"CUSTOMERS__{customer.upper()}__SOURCES__"),
    ]


def _environment_section(prefix: str) -> dict[str, dict[str, Any]]:
    """Return the settings by source that the environment has; a value is TOML, or else a text."""
    section: dict[str, dict[str, Any]] = {}
    for name, text in os.environ.items():
        source, separator, setting = name.removeprefix(prefix).lower().partition("__")
        if not name.startswith(prefix) or not (source and separator and setting):
            continue
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        section.setdefault(source, {})[setting] = value
    return section


def validated(model: type[Config], values: dict[str, Any], source: str) -> Config:
    """Check ``values`` against a plugin's configuration model.

    Raises MindweaveError naming the first setting that is wrong, never its value.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise MindweaveError(
            f"source {source}: {_first_problem(error)}; "
            f"`mindweave sources {source}` prints what is allowed"
        ) from None


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "configuration"
    return f"{where}: {first['msg']}"


def expand_path(path: str | Path, home: Path) -> Path:
    """Expand ``~`` and ``$MINDWEAVE_HOME`` in a configured path."""
    return Path(str(path).replace("$MINDWEAVE_HOME", str(home))).expanduser()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MindweaveError(f"{path.name} is not valid TOML: {error}") from None
