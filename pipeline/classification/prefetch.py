"""Work done a little ahead of whoever uses it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def prefetch(work: Callable[[Item], Made], items: Sequence[Item], most: int) -> Iterator[Made]:
    """``work`` of each item, in order, done by threads while the user of the one before is busy.

    At most ``most`` results wait to be used: that bounds what they hold. A single item is worked on right here.
    """
    if len(items) <= 1:
        yield from map(work, items)
        return
    remaining = iter(items)
    pool = ThreadPoolExecutor(min(most, len(items)))
    try:
        waiting: deque[Future[Made]] = deque(pool.submit(work, item) for item in islice(remaining, most))
        while waiting:
            made = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(remaining, 1))
            yield made
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
