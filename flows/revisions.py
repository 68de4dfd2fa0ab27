"""The project as it was at a git revision."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlt_pipelines.config import PROJECT_DIR
from dlt_pipelines.errors import MindweaveError, UsageError
from flows.parsed_project import PROJECT_PARTS

# what makes a project write to schemas of its own; a revision may be older than that
PREFIX_VARIABLE = "MINDWEAVE_SCHEMA_PREFIX"
PREFIX_FILES = ("macros/generate_schema_name.sql", "profiles.yml")


def commit_of(revision: str) -> str:
    """Return the whole hash of a revision.

    Raises UsageError where git does not know it, and MindweaveError where there is no git.
    """
    if not shutil.which("git"):
        raise MindweaveError("git was not found: install it")
    if _git("rev-parse", "--is-inside-work-tree").returncode:
        raise MindweaveError(
            f"{PROJECT_DIR} is not a git checkout: clone the project, and run this in the clone"
        )
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found.returncode:
        raise UsageError(
            f"git knows no revision {revision!r}: `git fetch` it first, or name one of `git log`"
        )
    return found.stdout.decode().strip()


@contextmanager
def project_at(commit: str, folder: Path) -> Iterator[Path]:
    """Hold the project as it was at a commit in a folder, which is gone after the block.

    Raises MindweaveError where there was no project then.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _unpack(commit, folder)
        for name in PREFIX_FILES:
            file = folder / name
            if not file.exists() or PREFIX_VARIABLE not in file.read_text("utf-8"):
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT_DIR / name, file)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(commit: str, folder: Path) -> None:
    archive = _git("archive", "--format=tar", commit)
    if archive.returncode:
        said = archive.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise MindweaveError(f"git archive {commit[:8]} failed: {' '.join(said)}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        members = [
            member
            for member in tar.getmembers()
            if member.name in PROJECT_PARTS
            or member.name.startswith(tuple(f"{part}/" for part in PROJECT_PARTS))
        ]
        tar.extractall(folder, members, filter="data")
    if not (folder / "dbt_project.yml").exists():
        raise MindweaveError(f"there is no dbt_project.yml at {commit[:8]}")


def _git(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    # in the project's folder, since that may be one of many in a repository
    return subprocess.run(  # noqa: S603  # a revision is no option: see --end-of-options
        ["git", *arguments],  # noqa: S607
        cwd=PROJECT_DIR,
        capture_output=True,
    )
