"""Answers stored for idempotency keys: one per owner and key, written in the transaction that made the answer."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, ForeignKey, Index, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, TextStr
from pipeline.domain.errors import IdempotencyKeyReused
from pipeline.ports.repositories import IdempotencyKey, StoredAnswer


class IdempotencyKeyRow(Base):
    """A stored answer: unique per owner and key, inserted in the transaction that makes the answer."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created", "created_at"),)

    api_key_id: Mapped[int] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[TextStr] = mapped_column(primary_key=True)
    body_hash: Mapped[TextStr]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]


class SqlIdempotency:
    """Implements ``pipeline.ports.repositories.IdempotencyRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, key: IdempotencyKey) -> StoredAnswer | None:
        """Claim the key, or return the answer stored for it.

        The insert of a concurrent duplicate waits on the unique index until the first transaction ends; then it
        either finds the answer (committed) or claims the key itself (rolled back).
        """
        claimed = self._connection.execute(
            insert(IdempotencyKeyRow)
            .values(api_key_id=key.owner, key=key.key, body_hash=key.body_hash)
            .on_conflict_do_nothing()
            .returning(IdempotencyKeyRow.key)
        ).first()
        if claimed is not None:
            return None
        row = self._connection.execute(
            select(IdempotencyKeyRow.body_hash, IdempotencyKeyRow.answer).where(
                IdempotencyKeyRow.api_key_id == key.owner, IdempotencyKeyRow.key == key.key
            )
        ).one()
        if row.body_hash != key.body_hash:
            raise IdempotencyKeyReused(
                f"the Idempotency-Key '{key.key}' was used before with another body; use a new key for a new request"
            )
        answer: StoredAnswer = row.answer
        return answer

    def keep(self, key: IdempotencyKey, answer: StoredAnswer) -> None:
        """Store the answer of a claimed key."""
        self._connection.execute(
            update(IdempotencyKeyRow)
            .where(IdempotencyKeyRow.api_key_id == key.owner, IdempotencyKeyRow.key == key.key)
            .values(answer=answer)
        )
