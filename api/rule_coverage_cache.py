"""Coverage and conflicts of sources, cached for the page of rules, since counting reads thousands of listings."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from infra.store.rules.coverage import CoverageReport, read_coverage_report
from infra.store.rules.queries import RulesVersion, rules_version

MIN_SECONDS = 10.0  # seconds that a count is valid
COST_FACTOR = 20  # validity in multiples of the counting time: at most a twentieth of the time is spent counting
MAX_SOURCES = 64


@dataclass(slots=True)
class _Entry:
    version: RulesVersion
    report: CoverageReport
    until: float


class CoverageCache:
    """The latest report of each source. A changed rule shows at once, new decisions a little later."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def report_of(self, connection: Connection, source_id: int) -> CoverageReport:
        """Coverage and conflicts of a source, by its rules as they are now."""
        version, now = rules_version(connection, source_id), self._clock()
        with self._lock:
            entry = self._entries.get(source_id)
            if entry is not None and entry.version == version:
                if now < entry.until:
                    return entry.report
                # While this thread counts, others get the last report.
                entry.until = now + MIN_SECONDS
        report = read_coverage_report(connection, source_id)
        ended = self._clock()
        with self._lock:
            valid = max(MIN_SECONDS, COST_FACTOR * (ended - now))
            self._entries[source_id] = _Entry(version, report, ended + valid)
            self._entries.move_to_end(source_id)
            if len(self._entries) > MAX_SOURCES:
                self._entries.popitem(last=False)
        return report
