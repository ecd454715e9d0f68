"""Idempotency: a request that is repeated with the same key gets the stored answer of the first one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pipeline.ports.repositories import IdempotencyKey, StoredAnswer
from pipeline.ports.unit_of_work import UnitOfWork

Result = TypeVar("Result")


def answer_once(
    unit: UnitOfWork,
    key: IdempotencyKey | None,
    work: Callable[[], Result],
    encode: Callable[[Result], StoredAnswer],
    decode: Callable[[StoredAnswer], Result],
) -> Result:
    """Do the work and store its result for the key, or return the stored result; without a key, only do the work.

    The result is stored in the same transaction. ``decode`` reads what ``encode`` wrote. Raises IdempotencyKeyReused
    when the key was used for another request.
    """
    if key is None:
        return work()
    stored = unit.idempotency.claim(key)
    if stored is not None:
        return decode(stored)
    result = work()
    unit.idempotency.keep(key, encode(result))
    return result
