"""A program that outlives the supervisor, and stops its services if the supervisor is killed with SIGKILL.

``python -m infra.embedded.orphan_guard HOME``: its standard input, a pipe from the supervisor, ends when the supervisor
does. The kernel already signals each service then (``infra.embedded.exec_wrapper``); the guard also stops the services'
child processes, and services that ignore the signal.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from infra.embedded.home import Home, stop_orphaned_services


def main(folder: Path, supervisor_pid: int) -> None:
    """Wait for the end of standard input, then stop the services that the supervisor left running."""
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, signal.SIG_IGN)
    while sys.stdin.buffer.read(1):
        pass
    status = Home(folder).status()
    # The services of another supervisor that has started here since must keep running.
    if status is not None and status.pid == supervisor_pid:
        stop_orphaned_services(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.getppid())
