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

from dlt_pipelines.config import PROJECT_DIR, Settings, read_settings
from dlt_pipelines.destinations import MissingRelationError, warehouse_at
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.load import make_missing_tables
from flows.dbt_project import DbtProject
from flows.price_book import check_price_book
from flows.ready_process import ReadyProcess, answers

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


def last_built_at(settings: Settings) -> float | None:
    """Return when the last build ended well, in seconds since 1970; None where none did."""
    try:
        return _state_path(settings).stat().st_mtime
    except FileNotFoundError:
        return None


def make_ready(settings: Settings) -> None:
    """Make sure that a build beside the customer's own finds what it reads.

    Raises MindweaveError where nothing was loaded yet, or the price book has a mistake.
    """
    check_price_book()
    current_state(settings)
    make_missing_tables(settings)


class Builder:
    """The customer's build: `parse` needs no warehouse, so it can overlap with other work."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; import nothing yet."""
        self._settings = settings
        self._project = DbtProject(settings)

    def parse(self) -> None:
        """Read the project."""
        self._project.parse()

    def build(self) -> None:
        """Build and test every model; anew from raw where the models changed since the last time.

        Raises MindweaveError naming what failed first, a mistake in the price book before all.
        """
        check_price_book()
        state, previous = current_state(self._settings), last_state(self._settings)
        if make_missing_tables(self._settings):
            state = current_state(self._settings)
        is_anew = previous is None or previous.models != state.models
        # dbt's own variable and not an argument, so that who only looks can leave out tests, too
        os.environ.setdefault("DBT_EXCLUDE_RESOURCE_TYPES", "unit_test")
        path = _state_path(self._settings)
        path.unlink(missing_ok=True)
        self._project.build(*(["--full-refresh"] if is_anew else []))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(state)), "utf-8")


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
