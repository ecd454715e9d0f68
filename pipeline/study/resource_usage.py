"""Measure the wall time of a block of code, and the memory it adds to this process."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

import psutil

SAMPLING_INTERVAL = 0.02  # seconds


class ResourceUsage:
    """Context manager: after the block, ``seconds`` is its wall time and ``memory`` its peak memory in bytes.

    The peak is the growth of the resident set since the start, sampled 50 times per second; shorter peaks are missed.
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
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._started
        self._ended.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLING_INTERVAL):
            self._sample()

    def _sample(self) -> None:
        self.memory = max(self.memory, self._process.memory_info().rss - self._memory_before)
