"""What the page of rules shows of a source, kept for a while: counting looks at thousands of listings."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from infra.store.rules.coverage import read_conflicts, read_coverage
from infra.store.rules.queries import rules_version

SHORTEST = 10.0  # seconds for which a count is good
SPARED = 20  # times as long as it took: at most a twentieth of the time is spent on counting
KEPT = 64  # sources


@dataclass(slots=True)
class _Kept:
    version: tuple[int, int]
    told: dict[str, Any]
    until: float


class CoverageCache:
    """The latest counts by source. Whoever changes a rule sees what that does at once, new decisions a little later."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, connection: Connection, source_id: int) -> dict[str, Any]:
        """What ``read_coverage`` and ``read_conflicts`` tell together, of the rules as they are now."""
        version, now = rules_version(connection, source_id), self._clock()
        with self._lock:
            kept = self._kept.get(source_id)
            if kept is not None and kept.version == version:
                if now < kept.until:
                    return kept.told
                # While this one counts, the others are shown the last count.
                kept.until = now + SHORTEST
        covered = read_coverage(connection, source_id)
        told = covered | read_conflicts(connection, source_id, covered["listings"])
        ended = self._clock()
        with self._lock:
            self._kept[source_id] = _Kept(version, told, ended + max(SHORTEST, SPARED * (ended - now)))
            self._kept.move_to_end(source_id)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return told
