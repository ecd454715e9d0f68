"""Remembered answers: one per owner and key, in the transaction whose answer it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from infra.store.keys.tables import IdempotencyKeyRow
from pipeline.domain.errors import Conflict
from pipeline.domain.idempotency import IdempotencyKey


class SqlIdempotency:
    """Implements ``pipeline.ports.repositories.IdempotencyRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, once: IdempotencyKey) -> dict[str, Any] | None:
        """Take the key, or return the remembered answer.

        The insert of a concurrent duplicate waits on the unique index until the first transaction ends; then it
        either finds the answer (committed) or takes the key itself (rolled back).
        """
        taken = self._connection.execute(
            insert(IdempotencyKeyRow)
            .values(api_key_id=once.owner, key=once.key, body_hash=once.body_hash)
            .on_conflict_do_nothing()
            .returning(IdempotencyKeyRow.key)
        ).first()
        if taken is not None:
            return None
        row = self._connection.execute(
            select(IdempotencyKeyRow.body_hash, IdempotencyKeyRow.answer).where(
                IdempotencyKeyRow.api_key_id == once.owner, IdempotencyKeyRow.key == once.key
            )
        ).one()
        if row.body_hash != once.body_hash:
            raise Conflict(
                f"the Idempotency-Key '{once.key}' was used before with another body; use a new key for a new request"
            )
        answer: dict[str, Any] = row.answer
        return answer

    def keep(self, once: IdempotencyKey, answer: Mapping[str, Any]) -> None:
        """Remember the answer."""
        self._connection.execute(
            update(IdempotencyKeyRow)
            .where(IdempotencyKeyRow.api_key_id == once.owner, IdempotencyKeyRow.key == once.key)
            .values(answer=dict(answer))
        )
