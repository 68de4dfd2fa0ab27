"""The project in a folder of a test's own, which it may change and put under git."""

import csv
import shutil
import subprocess
from pathlib import Path

from dlt_pipelines.config import PROJECT_DIR
from tests import ready_command
from tests.transcripts import command_environment

PARTS = (
    *("dbt_project.yml", "profiles.yml", "macros", "models", "seeds", "tests/dbt"),
    *("dlt_pipelines", "flows", ".dlt"),
)


class ProjectCopy:
    """A copy of the project whose command reads it alone."""

    def __init__(self, folder: Path) -> None:
        """Make the copy."""
        self.folder = folder
        for part in PARTS:
            source, target = PROJECT_DIR / part, folder / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)

    def command(
        self, home: Path, *arguments: object, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run the command of `ready_command` on this project."""
        environment = self.environment(home, **variables)
        return ready_command.run(list(map(str, arguments)), environment, home.parent, 300)

    def environment(self, home: Path, **variables: str) -> dict[str, str]:
        """Return the environment in which Python takes the copy for the project."""
        return command_environment(home, PYTHONPATH=str(self.folder), **variables)

    def add_row(self, seed: str, **values: object) -> None:
        """Add a row to a seed."""
        path = self.folder / "seeds" / f"{seed}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            columns = next(csv.reader(file))
        with path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, columns, lineterminator="\n").writerow(values)

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file that has it."""
        file = self.folder / path
        text = file.read_text("utf-8")
        assert old in text, path
        file.write_text(text.replace(old, new), "utf-8")

    def commit(self, message: str = "A change") -> str:
        """Commit all there is, and return the commit's hash."""
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        person = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        done = subprocess.run(
            ["git", *person, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout
