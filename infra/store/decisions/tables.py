"""What models say (predictions), what Rayon acts on (decisions), what people say (reviews), what was told (events)."""

from __future__ import annotations

from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, Created, Key, Words, enum_of
from pipeline.domain.prediction import DecisionStatus, Modality


class PredictionRow(Base):
    """Ranked categories of one modality: one row per (revision, model version, modality)."""

    __tablename__ = "predictions"
    __table_args__ = (UniqueConstraint("revision_id", "model_id", "modality"),)

    id: Mapped[Key]
    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"))
    model_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), index=True)
    modality: Mapped[Modality] = mapped_column(enum_of(Modality, "modality"))
    ranked: Mapped[list[Any]] = mapped_column(JSONB)
    created_at: Mapped[Created]


class EmbeddingRow(Base):
    """A stored feature vector; those of different model versions live side by side."""

    __tablename__ = "embeddings"

    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id", ondelete="CASCADE"), primary_key=True)
    extractor: Mapped[Words] = mapped_column(primary_key=True)
    vector: Mapped[Any] = mapped_column(Vector())
    created_at: Mapped[Created]


class DecisionRow(Base):
    """One row per (revision, model version); a provisional one is replaced by the final one."""

    __tablename__ = "decisions"
    __table_args__ = (
        UniqueConstraint("revision_id", "model_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("(status = 'abstained') = (category IS NULL)", name="category"),
        CheckConstraint("model_id IS NOT NULL OR status = 'abstained'", name="model"),
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
    )

    id: Mapped[Key]
    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"))
    model_id: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"), index=True)
    status: Mapped[DecisionStatus] = mapped_column(enum_of(DecisionStatus, "decision_status"))
    category: Mapped[Words | None]
    confidence: Mapped[float | None]
    reason: Mapped[Words]
    provisional: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[Created]


class ReviewRow(Base):
    """A person's category for a listing; it outranks every model and is a label to learn from."""

    __tablename__ = "reviews"

    id: Mapped[Key]
    listing_id: Mapped[int] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"), index=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"), index=True)
    category: Mapped[Words]
    reviewer: Mapped[Words]
    note: Mapped[Words] = mapped_column(server_default="")
    created_at: Mapped[Created]


class EventRow(Base):
    """What happened, in past participles, for webhooks and for the curious; written with what it tells of."""

    __tablename__ = "events"

    id: Mapped[Key]
    kind: Mapped[Words]
    listing_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    revision_id: Mapped[int | None] = mapped_column(BigInteger)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[Created] = mapped_column(index=True)
