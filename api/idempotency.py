"""A request that is answered once: the same Idempotency-Key and body again get the remembered answer."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from sqlalchemy import Connection

from api.problems import Problem
from infra.store.idempotency import SqlIdempotency
from pipeline.domain.errors import Conflict
from pipeline.domain.idempotency import IdempotencyKey


def answered_once(
    connection: Connection, once: IdempotencyKey | None, answer: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """What ``answer`` gave when this request came first; kept by the transaction that does it. Always anew for None.

    Raises a Problem (422) when the key came before with another body.
    """
    if once is None:
        return answer()
    remembered = SqlIdempotency(connection)
    try:
        known = remembered.claim(once)
    except Conflict as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    if known is None:
        known = answer()
        remembered.keep(once, known)
    return known
