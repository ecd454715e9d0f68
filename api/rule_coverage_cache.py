"""Cache of the rule coverage and conflicts of sources, for the page of rules: counting reads thousands of listings."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from infra.store.rules.coverage_and_conflicts import CoverageReport, read_coverage_report
from infra.store.rules.queries import RulesVersion, rules_version

MIN_SECONDS = 10.0  # a report is valid for at least this time
COST_FACTOR = 20  # validity in multiples of the counting time, so that counting takes at most 1/20 of the time
MAX_SOURCES = 64


@dataclass(slots=True)
class _Entry:
    version: RulesVersion
    report: CoverageReport
    expires_at: float


class CoverageCache:
    """The latest report of each source. Changed rules invalidate it at once; new decisions appear when it expires."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def report_of(self, connection: Connection, source_id: int) -> CoverageReport:
        """Coverage and conflicts of a source by its current rules."""
        version, started_at = rules_version(connection, source_id), self._clock()
        with self._lock:
            entry = self._entries.get(source_id)
            if entry is not None and entry.version == version:
                if started_at < entry.expires_at:
                    return entry.report
                # While this thread counts, other threads get the expired report.
                entry.expires_at = started_at + MIN_SECONDS
        report = read_coverage_report(connection, source_id)
        ended_at = self._clock()
        with self._lock:
            valid_seconds = max(MIN_SECONDS, COST_FACTOR * (ended_at - started_at))
            self._entries[source_id] = _Entry(version, report, ended_at + valid_seconds)
            self._entries.move_to_end(source_id)
            if len(self._entries) > MAX_SOURCES:
                self._entries.popitem(last=False)
        return report
