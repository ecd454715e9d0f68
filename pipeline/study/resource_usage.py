"""Wall time of a piece of work, and the memory it adds to this process."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

import psutil

INTERVAL = 0.02  # seconds


class ResourceUsage:
    """``with ResourceUsage() as usage:`` … then ``usage.seconds`` and ``usage.memory``, the peak in bytes.

    The peak is the resident set above what it was at the start, sampled fifty times a second: shorter peaks are missed.
    """

    def __enter__(self) -> Self:
        self.seconds, self.memory = 0.0, 0
        self._ended = threading.Event()
        self._process = psutil.Process()
        self._memory_before = self._process.memory_info().rss
        self._started = time.perf_counter()
        self._thread = threading.Thread(target=self._watch, name="resource-usage", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._started
        self._ended.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._sample()

    def _sample(self) -> None:
        self.memory = max(self.memory, self._process.memory_info().rss - self._memory_before)
