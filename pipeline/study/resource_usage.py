"""What a piece of work costs: wall time, and the memory it adds to this process."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

import psutil

EVERY = 0.02


class Cost:
    """``with Cost() as cost:`` … then ``cost.seconds`` and ``cost.memory``, the peak of bytes above the beginning.

    The resident set is looked at fifty times a second, so that a shorter peak is missed.
    """

    def __enter__(self) -> Self:
        self.seconds, self.memory = 0.0, 0
        self._ended = threading.Event()
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self._begun = time.perf_counter()
        self._thread = threading.Thread(target=self._watch, name="cost", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._begun
        self._ended.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY):
            self._look()

    def _look(self) -> None:
        self.memory = max(self.memory, self._process.memory_info().rss - self._before)
