"""A disk that is soon full."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEGABYTE = 1_000_000


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a real disk of 16 MB, of which a file leaves 3 MB: yield it, to make room."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={16 * MEGABYTE},mode=777", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk may be mounted here: needs root")
    try:
        blocker = folder / "blocker"
        blocker.write_bytes(b"x" * 13 * MEGABYTE)
        yield blocker
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
