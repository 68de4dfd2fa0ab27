"""dbt in this process: one project, built for one customer into the schemas of one prefix."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_pipelines.config import PROJECT_DIR, Settings
from dlt_pipelines.destinations import warehouse_at
from dlt_pipelines.errors import MindweaveError
from flows.parsed_project import PROJECT_PARTS, keep, kept_path, read_kept

if TYPE_CHECKING:
    from dbt.artifacts.schemas.run import RunResult
    from dbt.contracts.graph.manifest import Manifest


def dbt_folder(settings: Settings) -> Path:
    """Return where dbt writes its manifest and log; no slug has a hyphen."""
    name = settings.customer
    if settings.schema_prefix != Settings.schema_prefix:
        name += f"-{settings.schema_prefix}"
    if settings.into:
        name += f"-{settings.into}"
    return settings.home / "dbt" / name


def copy_project(source: Path, target: Path) -> Path:
    """Copy what dbt reads of a project to ``target``, which holds nothing else then."""
    shutil.rmtree(target, ignore_errors=True)
    for part in PROJECT_PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part)
        elif (source / part).exists():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / part, target / part)
    return target


class DbtProject:
    """A folder of models, macros and seeds; dbt is imported with the first command."""

    def __init__(
        self,
        settings: Settings,
        *,
        project: Path = PROJECT_DIR,
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare to build ``project``; dbt writes its own files to ``folder``."""
        self._settings = settings
        self._warehouse = warehouse_at(settings.warehouse_url)
        self._project = project
        self._folder = folder or dbt_folder(settings)
        self._variables = dict(variables or {})
        self._manifest: Manifest | None = None

    def parse(self) -> "Manifest":
        """Read the project, which needs no warehouse."""
        os.environ |= self._environment()
        kept = kept_path(self._variables) if self._project == PROJECT_DIR else None
        manifest = read_kept(kept) if kept else None
        if manifest is None:
            manifest = self._invoke("parse").result
            if kept:
                keep(manifest, kept)
        self._manifest = manifest
        return manifest

    def write_manifest(self) -> None:
        """Read the project anew, for dbt to write to its folder where the models are."""
        self._manifest = self._invoke("parse").result

    def clear_schemas(self) -> None:
        """Read the project, and make every schema that it writes to an empty one.

        Raises MindweaveError where one of them is not its own.
        """
        self.parse()
        for schema in self._own_schemas():
            self._warehouse.drop_schema(schema)
            self._warehouse.create_schema(schema)

    def drop_schemas(self) -> None:
        """Drop every schema that the project writes to; it was read before."""
        for schema in self._own_schemas():
            self._warehouse.drop_schema(schema)

    def build(self, *arguments: str) -> None:
        """Run `dbt build`, and give the DuckDB file back.

        Raises MindweaveError naming what failed first.
        """
        if self._manifest is None:
            self.parse()
        try:
            result = self._invoke("build", *arguments)
        finally:
            self._release()
        failed = [
            node
            for node in getattr(result.result, "results", [])
            if node.status in ("error", "fail")
        ]
        if failed:
            raise MindweaveError(
                f"{len(failed)} of dbt's nodes failed, first {failed[0].node.name}: "
                f"{_reason(failed[0])}; see {self._folder / 'dbt.log'}"
            )

    def _own_schemas(self) -> list[str]:
        """Return the schemas of all that it builds, which are there for nothing else."""
        nodes = self._manifest.nodes.values() if self._manifest else ()
        schemas = sorted({node.schema for node in nodes if node.is_relational})
        own = self._settings.marts_schema
        for schema in schemas:
            if schema != own and not schema.startswith(f"{own}_"):
                raise MindweaveError(
                    f"a model would be written to {schema} instead of {own}: generate_schema_name "
                    "must begin with MINDWEAVE_SCHEMA"
                )
        return schemas

    def _environment(self) -> dict[str, str]:
        return {
            "DO_NOT_TRACK": "1",
            "MINDWEAVE_CUSTOMER": self._settings.customer,
            "MINDWEAVE_SCHEMA": self._settings.marts_schema,
            # a revision, or a fork, may know the first word alone
            "MINDWEAVE_SCHEMA_PREFIX": self._settings.schema_prefix,
            **self._warehouse.dbt_environment(),
        }

    def _invoke(self, command: str, *arguments: str) -> Any:
        os.environ |= self._environment()
        from dbt.cli.main import dbtRunner

        result = dbtRunner(manifest=self._manifest).invoke(
            [
                command,
                "--quiet",
                "--no-use-colors",
                "--no-version-check",
                "--log-level",
                "none",
                f"--project-dir={self._project}",
                f"--profiles-dir={self._project}",
                f"--target-path={self._folder}",
                f"--log-path={self._folder}",
                *(["--vars", json.dumps(self._variables)] if self._variables else []),
                *arguments,
            ]
        )
        if result.exception:
            lines = str(result.exception).strip().splitlines()
            first = ": ".join(line.strip() for line in lines[: 2 if _is_title(lines[0]) else 1])
            raise MindweaveError(f"dbt {command} failed: {first}")
        return result

    def _release(self) -> None:
        """Give the DuckDB file back: dbt keeps it open as long as the process lives."""
        if self._warehouse.engine == "duckdb":
            from dbt.adapters.duckdb.connections import DuckDBConnectionManager

            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


def _is_title(line: str) -> bool:
    """Tell whether it only says of what kind an error is."""
    return line.strip().endswith("Error")


def _reason(result: "RunResult") -> str:
    """Return what the warehouse said; dbt says first only where."""
    lines = str(result.message or result.status).strip().splitlines()
    return lines[1].strip() if len(lines) > 1 and " Error in " in lines[0] else lines[0]
