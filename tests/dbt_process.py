"""dbt in a process that stays: to import it and to read the project takes more than most builds.

usage: python -m tests.dbt_process     (a JSON list of arguments per line in, a JSON text out)

An answer is empty where dbt succeeded.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from dlt_pipelines.config import PROJECT_DIR
from flows.ready_process import answers


class DbtProcess:
    """Runs one dbt command after another on a project."""

    def __init__(self, process: "subprocess.Popen[str]", target: Path) -> None:
        """Take the running process and the folder for what it writes."""
        self._process = process
        self.target = target

    def run(self, *arguments: str) -> None:
        """Run dbt as its command line would."""
        assert self._process.stdin and self._process.stdout
        folders = ("--target-path", str(self.target), "--log-path", str(self.target))
        question = ["--no-use-colors", *arguments, *folders]
        print(json.dumps(question), file=self._process.stdin, flush=True)
        failure = json.loads(self._process.stdout.readline() or '"dbt died"')
        if failure:
            log = (self.target / "dbt.log").read_text("utf-8")
            raise AssertionError(f"dbt {' '.join(arguments)}: {failure}\n{log[-5000:]}")


@contextlib.contextmanager
def dbt_process(
    project: Path, target: Path, environment: Mapping[str, str]
) -> Iterator[DbtProcess]:
    """Start one on the project in a folder; it ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", __name__],
        cwd=project,
        env={**environment, "PYTHONPATH": str(PROJECT_DIR)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield DbtProcess(process, target)
        finally:
            process.kill()


def main() -> None:
    """Answer until nobody asks any more."""
    channel = answers()
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    for line in sys.stdin:
        result = dbtRunner().invoke(json.loads(line))
        # dbt keeps a DuckDB file open, and others are to load into it
        DuckDBConnectionManager.close_all_connections()
        failure = "" if result.success else str(result.exception or "a node failed")
        print(json.dumps(failure), file=channel, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
