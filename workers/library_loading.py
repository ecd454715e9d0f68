"""How a process loads its libraries: without looking for garbage meanwhile."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import what is wanted inside; cycles of garbage are looked for again afterwards.

    Libraries make objects by the hundred thousand and let go of few of them, and looking through all of them time and
    again takes a seventh of the time that loading takes. What is there in the end is left alone for good: children of
    a fork go on sharing its memory.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
