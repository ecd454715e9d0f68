"""Progress of long work: the share that is done and a note, also of its stages."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called repeatedly with the share that is done, from 0 to 1, and a note on the current work.

    It may raise an exception to stop the work, as when another worker has taken over the job.
    """

    def __call__(self, share: float, note: str, /) -> None:
        """Report the share and the note."""
        ...


def no_progress(share: float, note: str, /) -> None:
    """Ignore progress."""


def stage(progress: Progress, start: float, end: float, prefix: str = "", note: str | None = None) -> Progress:
    """The progress of one stage, which moves ``progress`` from ``start`` to ``end``.

    ``prefix`` is put before the stage's notes; ``note``, if given, replaces them.
    """

    def report(stage_share: float, stage_note: str, /) -> None:
        progress(min(end, start + (end - start) * stage_share), prefix + stage_note if note is None else note)

    return report
