"""Replay: jobs that were given up wait again, with a clean slate."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.ports.unit_of_work import UnitsOfWork


def replay(units: UnitsOfWork, letter_ids: Sequence[int] | None = None, reason_contains: str | None = None) -> int:
    """Replay dead letters by id, or all whose reason contains a text; returns how many wait again."""
    with units() as unit:
        replayed = unit.outbox.replay(letter_ids, reason_contains)
        unit.commit()
        return replayed
