"""Weights that beat fetches unasked: in the background, once however many beats there are, and quietly."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from signal import SIGINT, SIGTERM

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from infra.embedded.launcher import launch_command
from infra.storage.weights_ledger import WeightsLedger
from pipeline.domain.errors import RayonError, TransientFailure
from workers.bootstrap import WorkerContext

log = logging.getLogger(__name__)

FETCH_LOCK = 7_206_003
LOOK_EVERY = 60.0
NICE = 19
STOPPED = (-SIGTERM, -SIGINT, 130)  # by whoever stops the house: no failure of the publisher's

# Fetches weights by the name of their extractor; returns why that failed, in one plain sentence, or None.
Fetch = Callable[[str], str | None]


class BackgroundFetch(threading.Thread):
    """Looks for the weights of ``names`` until all are there; an advisory lock lets one process fetch at a time.

    The ledger in the storage says when the next try is due, so that neither a start nor another beat asks the network
    again at once; a reason is logged once, as long as it stays the same.
    """

    def __init__(
        self, context: WorkerContext, names: Sequence[str], fetch: Fetch, look_every: float = LOOK_EVERY
    ) -> None:
        super().__init__(name="weights", daemon=True)
        self._context = context
        self._names = names
        self._fetch = fetch
        self._look_every = look_every
        self._ledger = WeightsLedger(context.storage)

    def run(self) -> None:
        """Until nothing is missing; whatever goes wrong, beat goes on."""
        while True:
            try:
                if not self.look():
                    return
            except (RayonError, SQLAlchemyError) as error:
                log.debug("no look at the weights: %s", error)
            time.sleep(self._look_every)

    def look(self) -> list[str]:
        """Fetch what is missing and due; returns what is missing still."""
        missing = [name for name in self._names if name not in self._context.registry.available_weights()]
        if not any(self._due(name) for name in missing):
            return missing
        with self._context.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": FETCH_LOCK}):
                return missing
            try:
                return [name for name in missing if not self._bring(name)]
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": FETCH_LOCK})

    def _due(self, name: str) -> bool:
        failed = self._ledger.failed(name)
        return failed is None or failed.next_at <= time.time()

    def _bring(self, name: str) -> bool:
        # Asked again: another beat may have been here while we came.
        if name in self._context.registry.available_weights():
            return True
        if not self._due(name):
            return False
        before = self._ledger.failed(name)
        said = self._fetch(name)
        if said is None:
            log.info("the weights of %s are here; the next training may use them", name)
            return True
        self._ledger.fail(name, said)
        if before is None or before.reason != said:
            log.warning("%s; everything else goes on without them", said)
        return False


def fetch_by_command(name: str) -> str | None:
    """Fetch with ``rayon models fetch`` in a process of its own, niced: beat stays small, and ends it with itself.

    Raises TransientFailure when somebody stopped it.
    """
    words = (sys.executable, "-m", "workers.cli", "models", "fetch", name)
    done = subprocess.run(
        launch_command(words, SIGTERM, nice=NICE), env=dict(os.environ), capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return None
    if done.returncode in STOPPED:
        raise TransientFailure(f"the fetching of {name} was stopped")
    told = [line for line in done.stderr.splitlines() if line.strip()] or [f"it ended with {done.returncode}"]
    said = next((line for line in reversed(told) if line.startswith("rayon: ")), told[-1])
    return said.removeprefix("rayon: ")


def start_fetching(context: WorkerContext) -> BackgroundFetch | None:
    """Begin to look for the weights that the settings name; None when they name none."""
    names = context.settings.weights_to_fetch()
    if not names:
        return None
    thread = BackgroundFetch(context, names, fetch_by_command)
    thread.start()
    return thread
