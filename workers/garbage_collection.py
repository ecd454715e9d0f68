"""When a process looks for garbage: not while it loads libraries, and seldom where it makes objects by the thousand."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import libraries inside this block without looking for cycles of garbage.

    Libraries make objects by the hundred thousand and drop few of them; looking through all of them again and again
    takes a seventh of the loading time. What is there in the end is never looked at again, so that forked children
    keep sharing its memory.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def expect_many_objects() -> None:
    """Look for cycles of garbage less often, in the whole process, from now on.

    Products by the thousand have no cycles, and looking for some takes a quarter of the time of reading them.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
