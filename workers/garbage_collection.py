"""Garbage collection, paused while libraries are loaded and rarer where objects are made by the thousand."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Import libraries inside this block without garbage collection.

    Libraries make objects by the hundred thousand and drop few of them; collections would take a seventh of the
    loading time. The objects that exist at the end are never examined again, so that forked children keep sharing
    their memory.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def expect_many_objects() -> None:
    """Collect garbage less often, in the whole process, from now on.

    Products by the thousand have no cycles, and looking for some takes a quarter of the time of reading them.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
