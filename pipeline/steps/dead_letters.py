"""Dead letters: jobs that failed for good are replayed, with their failures reset."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.job import OpenDeadLetter
from pipeline.ports.unit_of_work import UnitsOfWork


def replay(units: UnitsOfWork, letter_ids: Sequence[int] | None = None, reason_contains: str | None = None) -> int:
    """Replay dead letters by id, or all whose reason contains a text; returns the number of replayed jobs.

    A job is superseded instead if its revision is no longer current or has a later dead letter.
    """
    with units() as unit:
        letters = unit.dead_letters.lock_open(letter_ids, reason_contains)
        latest_ids = {letter.revision_id: letter.id for letter in sorted(letters, key=lambda letter: letter.id)}

        def is_worth_doing(letter: OpenDeadLetter) -> bool:
            return letter.is_current and (letter.revision_id is None or latest_ids[letter.revision_id] == letter.id)

        replayed = [letter for letter in letters if is_worth_doing(letter)]
        unit.dead_letters.replay(replayed)
        unit.dead_letters.supersede([letter for letter in letters if not is_worth_doing(letter)])
        unit.commit()
        return len(replayed)
