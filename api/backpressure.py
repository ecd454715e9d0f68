"""Backpressure: new listings are rejected while the oldest waiting job of their priority exceeds its age limit."""

from __future__ import annotations

import math
import threading
import time
from http import HTTPStatus

from sqlalchemy import Engine

from api.problems import Problem
from infra.settings import Settings
from infra.store.jobs.queries import oldest_waiting
from pipeline.domain.job import Priority
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

CHECK_INTERVAL_SECONDS = 1.0
MIN_RETRY_SECONDS = 5
MAX_RETRY_SECONDS = 60


class Backpressure:
    """Limits the age of the oldest waiting job of each priority; reads it at most once per second per process."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._limits = {
            Priority.INTERACTIVE: settings.backlog_limit_interactive,
            Priority.PIPELINE: settings.backlog_limit_pipeline,
            Priority.IMPORT: settings.backlog_limit_import,
        }
        self._lock = threading.Lock()
        self._checked_at = -math.inf
        self._ages: dict[str, float] = {}

    def check(self, priority: Priority) -> None:
        """Raise 429 with Retry-After if a job of this priority has waited longer than its limit (none for backfill)."""
        limit = self._limits.get(priority)
        if limit is None:
            return
        age = self._oldest_waiting_age(priority)
        if age > limit:
            retry_seconds = min(max(math.ceil(age - limit), MIN_RETRY_SECONDS), MAX_RETRY_SECONDS)
            reason = Reason.of(
                ReasonCode.BACKLOG_TOO_OLD, priority=priority.value, seconds=round(age), limit=round(limit)
            )
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, reason, {"Retry-After": str(retry_seconds)})

    def _oldest_waiting_age(self, priority: Priority) -> float:
        with self._lock:
            if time.monotonic() - self._checked_at >= CHECK_INTERVAL_SECONDS:
                with self._engine.connect() as connection:
                    self._ages = oldest_waiting(connection)
                self._checked_at = time.monotonic()
            return self._ages.get(priority, 0.0)
