"""Tuning of garbage collection: pause it while libraries load, run it less often where many objects are created."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Import libraries inside this block without garbage collection.

    Libraries create hundreds of thousands of objects and drop few of them; collections would take a seventh of the
    loading time. The objects that exist at the end are frozen: never examined again, so that forked children keep
    sharing their memory.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def expect_many_objects() -> None:
    """Collect garbage less often in this process from now on.

    Products have no reference cycles; searching thousands of them for cycles takes a quarter of the reading time.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
