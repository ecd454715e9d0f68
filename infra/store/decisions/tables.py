"""Tables of predictions and embeddings (by models), decisions (acted on), reviews (by users), and events."""

from __future__ import annotations

from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CodedReason, CreatedAt, PrimaryKey, TextStr, enum_of
from pipeline.domain.prediction import DecisionStatus, Modality


class PredictionRow(Base):
    """Ranked categories of one modality: one row per (revision, model version, modality)."""

    __tablename__ = "predictions"
    __table_args__ = (UniqueConstraint("revision_id", "model_id", "modality"),)

    id: Mapped[PrimaryKey]
    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"))
    model_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), index=True)
    modality: Mapped[Modality] = mapped_column(enum_of(Modality, "modality"))
    ranked: Mapped[list[Any]] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]


class EmbeddingRow(Base):
    """A feature vector of a revision; those of several model versions are kept side by side."""

    __tablename__ = "embeddings"

    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id", ondelete="CASCADE"), primary_key=True)
    extractor: Mapped[TextStr] = mapped_column(primary_key=True)
    vector: Mapped[Any] = mapped_column(Vector())
    created_at: Mapped[CreatedAt]


class DecisionRow(Base):
    """One row per (revision, model version); a final decision replaces a provisional one."""

    __tablename__ = "decisions"
    __table_args__ = (
        UniqueConstraint("revision_id", "model_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("(status = 'abstained') = (category IS NULL)", name="category"),
        CheckConstraint("model_id IS NOT NULL OR status = 'abstained'", name="model"),
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
    )

    id: Mapped[PrimaryKey]
    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"))
    model_id: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"), index=True)
    status: Mapped[DecisionStatus] = mapped_column(enum_of(DecisionStatus, "decision_status"))
    category: Mapped[TextStr | None]
    confidence: Mapped[float | None]
    reason: Mapped[TextStr]
    coded_reason: Mapped[CodedReason]
    provisional: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]


class ReviewRow(Base):
    """A reviewer's category for a listing; it outranks every model and is a label to learn from."""

    __tablename__ = "reviews"

    id: Mapped[PrimaryKey]
    listing_id: Mapped[int] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"), index=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"), index=True)
    category: Mapped[TextStr]
    reviewer: Mapped[TextStr]
    note: Mapped[TextStr] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]


class EventRow(Base):
    """What happened, for webhooks and history; written in the same transaction as the change itself."""

    __tablename__ = "events"

    id: Mapped[PrimaryKey]
    kind: Mapped[TextStr]
    listing_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    revision_id: Mapped[int | None] = mapped_column(BigInteger)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt] = mapped_column(index=True)
