"""What dbt read of the project, kept: to read it anew takes seconds, to load this less than one.

dbt keeps such a file itself, but for one warehouse: it takes the path of another for a change.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from dlt_pipelines.config import PROJECT_DIR

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

PROJECT_PARTS = ("dbt_project.yml", "profiles.yml", "macros", "models", "seeds", "tests/dbt")
FOLDER = PROJECT_DIR / "target" / "parsed"
KEPT_FILES = 20

ENV_VAR = re.compile(r"env_var\(\s*['\"](\w+)['\"]")
# where a server is and who asks it: nothing in a model is named after these
CONNECTION = re.compile(r"MINDWEAVE_HOME|(PG|CLICKHOUSE_)(HOST|PORT|USER|PASSWORD|SECURE|SSL\w*)")


def kept_path(variables: Mapping[str, str]) -> Path:
    """Return where the project is kept, read as the environment and the variables make it."""
    digest = hashlib.sha256()
    names: set[str] = set()
    for path in _files():
        content = path.read_bytes()
        digest.update(f"{path.relative_to(PROJECT_DIR)}\0{len(content)}\0".encode() + content)
        names.update(ENV_VAR.findall(content.decode("utf-8", "replace")))
    environment = {name: os.environ.get(name) for name in names if not CONNECTION.fullmatch(name)}
    if warehouse := environment.pop("MINDWEAVE_WAREHOUSE", None):
        environment["database"] = Path(warehouse).stem  # as DuckDB calls a file
    adapter = os.environ.get("MINDWEAVE_TARGET", "duckdb")
    versions = {package: version(package) for package in ("dbt-core", f"dbt-{adapter}")}
    made_of = [sorted(part.items()) for part in (environment, versions, variables)]
    digest.update(repr(made_of).encode())
    return FOLDER / f"{digest.hexdigest()}.msgpack"


def read_kept(path: Path) -> "Manifest | None":
    """Return what was kept, if it was."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    try:
        # a file that is damaged fails in as many ways as there are bytes
        manifest: Manifest = Manifest.from_msgpack(path.read_bytes(), extended_mashumuro_decoder)
    except Exception:
        return None
    return manifest


def keep(manifest: "Manifest", path: Path) -> None:
    """Keep what was read, whole or not at all, and forget what is old."""
    from dbt.parser.manifest import extended_mashumaro_encoder

    draft = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):  # nobody's need: a folder that is not ours, a full disk
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(manifest.to_msgpack(extended_mashumaro_encoder))
        draft.replace(path)
        by_age = sorted(path.parent.glob("*.msgpack"), key=lambda kept: kept.stat().st_mtime)
        for old in by_age[:-KEPT_FILES]:
            old.unlink(missing_ok=True)


def _files() -> list[Path]:
    places = [PROJECT_DIR / part for part in PROJECT_PARTS]
    found = [place.rglob("*") if place.is_dir() else [place] for place in places]
    return sorted(path for paths in found for path in paths if path.is_file())
