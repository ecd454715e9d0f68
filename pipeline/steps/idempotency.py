"""Idempotency: a request repeated with the same key gets the stored answer of the first one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pipeline.ports.repositories import IdempotencyKey, StoredAnswer
from pipeline.ports.unit_of_work import UnitOfWork

T = TypeVar("T")


def answer_once(
    unit: UnitOfWork,
    key: IdempotencyKey | None,
    work: Callable[[], T],
    encode: Callable[[T], StoredAnswer],
    decode: Callable[[StoredAnswer], T],
) -> T:
    """Do the work and keep its result for the key, or return the kept one; without a key, only do the work.

    The result is kept in the transaction of the work. ``decode`` reads what ``encode`` wrote. Raises
    IdempotencyKeyReused when the key was used for another request.
    """
    if key is None:
        return work()
    kept = unit.idempotency.claim(key)
    if kept is not None:
        return decode(kept)
    result = work()
    unit.idempotency.keep(key, encode(result))
    return result
