"""A small program that outlives the supervisor, to stop its services should it be killed with -9.

``python -m infra.embedded.orphan_guard HOME``: the supervisor holds the other end of its standard
input. The leash signals each service already; the guard also reaches their children, and those that do not obey.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from infra.embedded.home import Home
from infra.embedded.stale_processes import clear_services


def main(folder: Path, supervisor: int) -> None:
    """Wait for the end of input, then stop what ``supervisor`` (a process id) left, if it left anything."""
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked, signal.SIG_IGN)
    while sys.stdin.buffer.read(1):
        pass
    status = Home(folder).status()
    # Another supervisor may have started here since; its services are none of our business.
    if status is not None and status.pid == supervisor:
        clear_services(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.getppid())
