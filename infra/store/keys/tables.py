"""Tables of API keys: their scopes and sources, and the answers remembered by idempotency key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr, Timestamp


class ApiKeyRow(Base):
    """A key, by the SHA-256 of its secret. ``every_source`` is for admins and tools; others list their sources."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("scopes <@ ARRAY['submit', 'read', 'admin'] AND cardinality(scopes) > 0", name="scopes"),
    )

    id: Mapped[PrimaryKey]
    name: Mapped[TextStr]
    hash: Mapped[TextStr] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    every_source: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    revoked_at: Mapped[Timestamp | None]


key_sources = Table(
    "api_key_sources",
    Base.metadata,
    Column("api_key_id", ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class IdempotencyKeyRow(Base):
    """An answer to remember: unique per owner and key, inserted in the transaction whose answer it keeps."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created", "created_at"),)

    api_key_id: Mapped[int] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[TextStr] = mapped_column(primary_key=True)
    body_hash: Mapped[TextStr]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]
