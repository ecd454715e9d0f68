"""A small program that outlives the supervisor and stops its services should it be killed with -9.

``python -m infra.embedded.orphan_guard HOME``: the supervisor holds the other end of its standard input. The kernel
already signals each service when the supervisor dies (``infra.embedded.launcher``); the guard also reaches the
services' children, and those that do not obey.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from infra.embedded.home import Home, stop_orphaned_services


def main(folder: Path, supervisor: int) -> None:
    """Wait for the end of input, then stop the services that ``supervisor`` (a process id) left running."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while sys.stdin.buffer.read(1):
        pass
    status = Home(folder).status()
    # Another supervisor may have started here since; its services are not ours to stop.
    if status is not None and status.pid == supervisor:
        stop_orphaned_services(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.getppid())
