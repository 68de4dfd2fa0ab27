"""A child process that imports what is slow ahead of its one question."""

import os
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self

from dlt_pipelines.config import PROJECT_DIR


class ReadyProcess:
    """Runs ``python -m MODULE``: started at once, asked once, or closed unasked.

    Questions go by standard input, since everybody on the machine can read a password among the
    arguments.
    """

    def __init__(self, module: str, variables: Mapping[str, str] | None = None) -> None:
        """Start the process, with ``variables`` added to its environment."""
        self._process = subprocess.Popen(  # noqa: S603  # a module of ours
            [sys.executable, "-m", module],
            cwd=PROJECT_DIR,
            env=os.environ | dict(variables or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        """Return itself, to be closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def ask(self, question: str, limit_seconds: float | None = None) -> str:
        """Return the line that answers ``question``, empty where the process died; then end it.

        Raises subprocess.TimeoutExpired after ``limit_seconds``.
        """
        try:
            answer, _ = self._process.communicate(question + "\n", limit_seconds)
        finally:
            self.close()
        return answer if self._process.returncode == 0 else ""

    @property
    def status(self) -> int | None:
        """How the process ended."""
        return self._process.returncode

    def close(self) -> None:
        """End the process; it has nothing to lose."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()


def answers() -> IO[str]:
    """Return where the child answers; what libraries print goes elsewhere from now on."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return channel
