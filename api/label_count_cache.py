"""Cache of the numbers of labelled listings by category: counting reads every listing of a taxonomy."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from infra.store.listings.labelled_listings import count_labelled

MIN_SECONDS = 10.0  # counts are valid for at least this time
COST_FACTOR = 20  # validity in multiples of the counting time, so that counting takes at most 1/20 of the time
MAX_TAXONOMIES = 64


@dataclass(slots=True)
class _CachedCounts:
    by_category: Mapping[str, int]
    expires_at: float


class LabelCountCache:
    """The latest counts of each taxonomy; new labels appear when they expire."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[int, _CachedCounts] = OrderedDict()
        self._lock = threading.Lock()

    def counts_of(self, connection: Connection, taxonomy_id: int) -> Mapping[str, int]:
        """The number of labelled listings by the path of their label."""
        started_at = self._clock()
        with self._lock:
            counts = self._counts.get(taxonomy_id)
            if counts is not None:
                if started_at < counts.expires_at:
                    return counts.by_category
                # While this thread counts, other threads get the expired counts.
                counts.expires_at = started_at + MIN_SECONDS
        by_category = count_labelled(connection, taxonomy_id)
        ended_at = self._clock()
        with self._lock:
            valid_seconds = max(MIN_SECONDS, COST_FACTOR * (ended_at - started_at))
            self._counts[taxonomy_id] = _CachedCounts(by_category, ended_at + valid_seconds)
            self._counts.move_to_end(taxonomy_id)
            if len(self._counts) > MAX_TAXONOMIES:
                self._counts.popitem(last=False)
        return by_category
