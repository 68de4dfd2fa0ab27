"""Run a server until standard input closes, then stop it and remove its folder.

usage: supervise.py FOLDER SIGNAL UID GID COMMAND...

Each byte that arrives before that stops the server, or starts it again.

Whoever starts this holds the other end of the pipe. However that process ends, the pipe closes
with it, so not even ``kill -9`` leaves a server or its data behind. Standard library only.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

STOP_SECONDS = 10


def start(folder: Path, uid: int, gid: int, command: list[str]) -> subprocess.Popen[bytes]:
    """Start ``command`` in ``folder``."""
    identity: dict[str, Any] = {}
    if uid != os.geteuid():
        identity = {"user": uid, "group": gid, "extra_groups": []}
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **identity
        )


def stop(server: subprocess.Popen[bytes], stop_signal: int) -> None:
    """Return when ``server`` has ended."""
    server.send_signal(stop_signal)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main(folder: Path, stop_signal: int, uid: int, gid: int, command: list[str]) -> int:
    """Supervise ``command``; return its exit status if it ended by itself, else 0."""
    server: subprocess.Popen[bytes] | None = start(folder, uid, gid, command)
    status = None
    while status is None:
        if select.select([0], [], [], 0.1)[0]:
            is_order = os.read(0, 1)
            if server:
                stop(server, stop_signal)
                server = None
            elif is_order:
                server = start(folder, uid, gid, command)
            if not is_order:
                break
        status = server.poll() if server else None
    if status is not None:
        sys.stderr.write((folder / "server.log").read_text(errors="replace")[-4000:])
    shutil.rmtree(folder, ignore_errors=True)
    return status or 0


if __name__ == "__main__":
    # only the pipe ends this; a handler, since SIG_IGN would be passed on to the server
    signal.signal(signal.SIGTERM, lambda *_: None)
    folder, stop_signal, uid, gid, *command = sys.argv[1:]
    sys.exit(main(Path(folder), int(stop_signal), int(uid), int(gid), command))
