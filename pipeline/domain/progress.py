"""Progress of long work: the share that is done and a note, also for stages of a whole."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called now and then with the share that is done, from 0 to 1, and a note on what is being done.

    It may raise to stop the work: a job that another worker has taken over ends like that.
    """

    def __call__(self, share: float, note: str, /) -> None:
        """Report the share and the note."""
        ...


def no_progress(share: float, note: str, /) -> None:
    """Ignore progress."""


def stage(progress: Progress, start: float, end: float, prefix: str = "", note: str | None = None) -> Progress:
    """The progress of one stage, which takes ``progress`` from ``start`` to ``end``.

    ``prefix`` is put before the stage's notes; ``note``, if given, replaces them.
    """

    def report(share: float, own_note: str, /) -> None:
        progress(min(end, start + (end - start) * share), prefix + own_note if note is None else note)

    return report
