"""Fetch missing weights in a background thread of beat: in one process only, and with few log lines."""

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

from infra.embedded.exec_wrapper import launch_command
from infra.storage.weights_fetch_log import WeightsFetchLog
from pipeline.domain.errors import RayonError, TransientFailure
from workers.bootstrap import WorkerContext

log = logging.getLogger(__name__)

FETCH_LOCK = 7_206_003
CHECK_INTERVAL = 60.0  # seconds
NICENESS = 19
STOPPED_EXIT_CODES = (-SIGTERM, -SIGINT, 130)  # of a fetch that was stopped together with beat

# Fetches the weights of an extractor by its name; returns None, or the problem in one sentence.
FetchWeights = Callable[[str], str | None]


class BackgroundFetch(threading.Thread):
    """Fetches the weights of ``names`` until all are installed; an advisory lock lets one process fetch at a time.

    The fetch log in the storage records when the next attempt is due, so that neither a restart nor another beat
    repeats a request at once; a problem is logged only when it changes.
    """

    def __init__(
        self, context: WorkerContext, names: Sequence[str], fetch: FetchWeights, check_every: float = CHECK_INTERVAL
    ) -> None:
        super().__init__(name="weights", daemon=True)
        self._context = context
        self._names = names
        self._fetch = fetch
        self._check_every = check_every
        self._fetch_log = WeightsFetchLog(context.storage)

    def run(self) -> None:
        """Run until no weights are missing; errors never stop beat."""
        while True:
            try:
                if not self.fetch_missing():
                    return
            except (RayonError, SQLAlchemyError) as error:
                log.debug("the weights could not be checked: %s", error)
            time.sleep(self._check_every)

    def fetch_missing(self) -> list[str]:
        """Fetch the missing weights whose next attempt is due; returns the names of those still missing."""
        missing = [name for name in self._names if name not in self._context.registry.available_weights()]
        if not any(self._due(name) for name in missing):
            return missing
        with self._context.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": FETCH_LOCK}):
                return missing
            try:
                return [name for name in missing if not self._fetch_one(name)]
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": FETCH_LOCK})

    def _due(self, name: str) -> bool:
        failure = self._fetch_log.failed(name)
        return failure is None or failure.next_fetch_at <= time.time()

    def _fetch_one(self, name: str) -> bool:
        """Fetch one extractor's weights; returns whether they are installed."""
        # Checked again: another beat may have fetched them before this one got the lock.
        if name in self._context.registry.available_weights():
            return True
        if not self._due(name):
            return False
        previous_failure = self._fetch_log.failed(name)
        problem = self._fetch(name)
        if problem is None:
            log.info("the weights of %s are installed; the next training may use them", name)
            return True
        self._fetch_log.record_failure(name, problem)
        if previous_failure is None or previous_failure.reason != problem:
            log.warning("%s; everything else works without them", problem)
        return False


def fetch_by_command(name: str) -> str | None:
    """Fetch with ``rayon models fetch`` in a separate niced process, which ends with beat.

    Returns None, or the problem in one sentence. Raises TransientFailure when the process was stopped.
    """
    command = (sys.executable, "-m", "workers.cli", "models", "fetch", name)
    completed = subprocess.run(
        launch_command(command, SIGTERM, nice=NICENESS),
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode == 0:
        return None
    if completed.returncode in STOPPED_EXIT_CODES:
        raise TransientFailure(f"fetching the weights of {name} was stopped")
    lines = [line for line in completed.stderr.splitlines() if line.strip()] or [
        f"it ended with {completed.returncode}"
    ]
    problem = next((line for line in reversed(lines) if line.startswith("rayon: ")), lines[-1])
    return problem.removeprefix("rayon: ")


def start_fetching(context: WorkerContext) -> BackgroundFetch | None:
    """Start fetching the weights that the settings name; None if they name none."""
    names = context.settings.weights_to_fetch()
    if not names:
        return None
    thread = BackgroundFetch(context, names, fetch_by_command)
    thread.start()
    return thread
