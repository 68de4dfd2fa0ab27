"""Build the models with dbt, and only where there is something to build.

usage: python -m flows.build < ORDER     (reads the project, then builds once it reads a line)

To import dbt and read the project takes several seconds, so a run starts this process when it finds
something to load, and gives the order once the rows have landed.
"""

import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_pipelines.config import PROJECT_DIR, Settings, read_settings
from dlt_pipelines.destinations import MissingRelationError, warehouse_at
from dlt_pipelines.errors import MindweaveError
from flows.price_book import check_price_book
from flows.ready_process import ReadyProcess, answers

if TYPE_CHECKING:
    from dbt.artifacts.schemas.run import RunResult
    from dbt.contracts.graph.manifest import Manifest

MODEL_FOLDERS = ("models", "macros", "tests/dbt")
SEED_FOLDERS = ("seeds",)


@dataclass(frozen=True)
class BuildState:
    """What a build was made from: equal states give equal marts."""

    models: str
    seeds: str
    loads: str


def current_state(settings: Settings) -> BuildState:
    """Return what a build would be made from now.

    Raises MindweaveError where nothing was loaded yet.
    """
    warehouse = warehouse_at(settings.warehouse_url)
    nothing = MindweaveError(
        f"nothing is loaded for customer {settings.customer} in {warehouse.label}: "
        "run `mindweave load` first"
    )
    try:
        loads = warehouse.query(
            "select count(*) as packages, max(inserted_at) as newest "
            f"from {settings.raw_schema}._dlt_loads where status = 0"
        ).to_pylist()
    except MissingRelationError:
        raise nothing from None
    return BuildState(
        models=_fingerprint([*MODEL_FOLDERS, "dbt_project.yml"]),
        seeds=_fingerprint(SEED_FOLDERS),
        loads=f"{loads[0]['packages']} until {loads[0]['newest']}",
    )


def last_state(settings: Settings) -> BuildState | None:
    """Return what the last successful build was made from."""
    try:
        return BuildState(**json.loads(_state_path(settings).read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


class Builder:
    """dbt in this process: `parse` needs no warehouse, so it can overlap with other work."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; import nothing yet."""
        self._settings = settings
        self._warehouse = warehouse_at(settings.warehouse_url)
        self._manifest: Manifest | None = None

    def parse(self) -> None:
        """Read the project."""
        self._manifest = self._invoke("parse").result

    def build(self) -> None:
        """Build and test every model; anew from raw where the models changed since the last time.

        Raises MindweaveError naming what failed first, a mistake in the price book before all.
        """
        check_price_book()
        state, previous = current_state(self._settings), last_state(self._settings)
        arguments = ["--exclude-resource-type", "unit_test"]
        if previous is None or previous.models != state.models:
            arguments.append("--full-refresh")
        _state_path(self._settings).unlink(missing_ok=True)
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
                f"{_reason(failed[0])}; see {self._log_folder / 'dbt.log'}"
            )
        path = _state_path(self._settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(state)), "utf-8")

    @property
    def _log_folder(self) -> Path:
        return self._settings.home / "dbt" / self._settings.customer

    def _invoke(self, command: str, *arguments: str) -> Any:
        os.environ |= {
            "DO_NOT_TRACK": "1",
            "MINDWEAVE_CUSTOMER": self._settings.customer,
            **self._warehouse.dbt_environment(),
        }
        from dbt.cli.main import dbtRunner

        result = dbtRunner(manifest=self._manifest).invoke(
            [
                command,
                "--quiet",
                "--no-use-colors",
                "--no-version-check",
                "--log-level",
                "none",
                f"--project-dir={PROJECT_DIR}",
                f"--profiles-dir={PROJECT_DIR}",
                f"--target-path={self._log_folder}",
                f"--log-path={self._log_folder}",
                *arguments,
            ]
        )
        if result.exception:
            first = str(result.exception).strip().splitlines()[0]
            raise MindweaveError(f"dbt {command} failed: {first}")
        return result

    def _release(self) -> None:
        """Give the DuckDB file back: dbt keeps it open as long as the process lives."""
        if self._warehouse.engine == "duckdb":
            from dbt.adapters.duckdb.connections import DuckDBConnectionManager

            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


class BuildProcess(ReadyProcess):
    """The process that gets ready to build."""

    def __init__(self, settings: Settings) -> None:
        """Start to import dbt and to read the project."""
        super().__init__(
            "flows.build",
            {
                "MINDWEAVE_HOME": str(settings.home),
                "MINDWEAVE_WAREHOUSE": settings.warehouse_url,
                "MINDWEAVE_CUSTOMER": settings.customer,
            },
        )

    def build(self) -> None:
        """Build and test every model; raise MindweaveError as `Builder.build` does."""
        output = self.ask("build")
        if not output:
            raise MindweaveError(
                f"building ended with {self.status}: `mindweave build` may say why"
            )
        if error := json.loads(output)["error"]:
            raise MindweaveError(error)


def _reason(result: "RunResult") -> str:
    """Return what the warehouse said; dbt says first only where."""
    lines = str(result.message or result.status).strip().splitlines()
    return lines[1].strip() if len(lines) > 1 and " Error in " in lines[0] else lines[0]


def _state_path(settings: Settings) -> Path:
    identity = warehouse_at(settings.warehouse_url).identity
    return settings.home / "dbt" / settings.customer / f"built-{identity}.json"


def _fingerprint(places: list[str] | tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for place in places:
        path = PROJECT_DIR / place
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.is_file():
                digest.update(str(file.relative_to(PROJECT_DIR)).encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Read the project, then build when a line comes; end quietly where none does."""
    channel = answers()
    builder = Builder(read_settings())
    error = None
    try:
        builder.parse()
        if not sys.stdin.readline():
            return
        builder.build()
    except MindweaveError as failure:
        error = str(failure)
    print(json.dumps({"error": error}), file=channel, flush=True)
    os._exit(0)  # to take down all that was imported lasts, and somebody waits


if __name__ == "__main__":
    main()
