"""Serve ClickHouse from the chdb wheel, as configured by ``config.xml`` in the working directory.

usage: clickhouse_server.py UID GID WHEEL

The wheel holds clickhouse-local, which can listen like a server. It serves for as long as one query
runs: ours reads a pipe that nobody writes to. Run by ``supervise.py``.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any


def main(uid: int, gid: int, wheel: str) -> None:
    """Load the library, become somebody without rights, serve until killed."""
    # the time zone of the server, which it does not take from its configuration
    os.environ["TZ"] = "UTC"
    # the package around it asks for its version with a user and password of its own
    sys.path.insert(0, wheel)
    library: Any = importlib.import_module("_chdb")
    if os.geteuid() != uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    folder = Path.cwd()
    pipe = folder / "pipe"
    if not pipe.exists():
        os.mkfifo(pipe)
    library.query(
        "system start listen http; system start listen tcp; "
        f"select count() from file('{pipe}', LineAsString)",
        output_format="TabSeparated",
        path=str(folder / "data"),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
