"""Predictions and decisions of models, reviews and events: their tables, and how results are written to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import BigInteger, CheckConstraint, Connection, ForeignKey, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CodedReason, CreatedAt, PrimaryKey, TextStr, enum_of
from infra.store.notify_channels import notify_decided
from infra.store.sql_fragments import reason_json, reason_json_text, reason_text
from pipeline.domain.claimed_job import AttemptResult
from pipeline.domain.decision import DecisionStatus
from pipeline.domain.prediction import Modality


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
    """An event, for webhooks and history; written in the transaction of the change itself."""

    __tablename__ = "events"

    id: Mapped[PrimaryKey]
    kind: Mapped[TextStr]
    listing_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    revision_id: Mapped[int | None] = mapped_column(BigInteger)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt] = mapped_column(index=True)


DECISION_COLUMNS = ("status", "category", "confidence", "reason", "coded_reason", "provisional")

UPDATE_IMAGES = text(
    """
    UPDATE images SET status = CAST(seen.status AS image_status), storage_key = seen.storage_key, reason = seen.reason,
           coded_reason = CAST(seen.coded_reason AS jsonb)
    FROM unnest(CAST(:ids AS bigint[]), CAST(:statuses AS text[]), CAST(:keys AS text[]), CAST(:reasons AS text[]),
                CAST(:coded_reasons AS text[]))
         AS seen(id, status, storage_key, reason, coded_reason)
    WHERE images.id = seen.id
    """
)
# Lists do not show decisions of older revisions, nor of withdrawn or reviewed listings.
UPDATE_LISTINGS = text(
    """
    UPDATE listings SET status = CAST(shown.status AS listing_status), category = shown.category,
           confidence = shown.confidence, updated_at = now()
    FROM unnest(CAST(:listings AS bigint[]), CAST(:revisions AS bigint[]), CAST(:statuses AS text[]),
                CAST(:categories AS text[]), CAST(:confidences AS float8[]))
         AS shown(listing, revision, status, category, confidence)
    WHERE id = shown.listing AND current_revision_id = shown.revision AND withdrawn_at IS NULL AND NOT reviewed
    """
)


def write_images(connection: Connection, results: Sequence[AttemptResult]) -> None:
    """Write how fetching each image ended."""
    images = [image for result in results for image in result.images]
    if images:
        connection.execute(
            UPDATE_IMAGES,
            {
                "ids": [i.image_id for i in images],
                "statuses": [i.status for i in images],
                "keys": [i.storage_key for i in images],
                "reasons": [reason_text(i.reason) for i in images],
                "coded_reasons": [reason_json_text(i.reason) for i in images],
            },
        )


def write_predictions(connection: Connection, results: Sequence[AttemptResult]) -> None:
    """Write predictions and embeddings, by the model version that made them."""
    predictions = [
        {
            "revision_id": result.job.revision_id,
            "model_id": result.model_id,
            "modality": prediction.modality,
            "ranked": [[ranked.category, round(ranked.probability, 6)] for ranked in prediction.ranked],
        }
        for result in results
        if result.model_id is not None
        for prediction in result.predictions
    ]
    if predictions:
        statement = insert(PredictionRow)
        # The rows of a provisional answer are replaced; the same computation again writes the same.
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["revision_id", "model_id", "modality"], set_={"ranked": statement.excluded.ranked}
            ).values(predictions)
        )
    embeddings = [
        {"revision_id": result.job.revision_id, "model_id": result.model_id, "extractor": name, "vector": vector}
        for result in results
        if result.model_id is not None
        for name, vector in result.embeddings.items()
    ]
    if embeddings:
        connection.execute(insert(EmbeddingRow).on_conflict_do_nothing().values(embeddings))


def write_decisions(connection: Connection, results: Sequence[AttemptResult]) -> None:
    """Write decisions, show them in lists, add an event for each new one, and notify the requests that wait.

    A final decision is never replaced: deciding again with the same model changes nothing.
    """
    decisions = []
    events = []
    for result in results:
        decision = result.decision
        assert decision is not None
        columns = {
            "status": decision.status,
            "category": decision.category,
            "confidence": decision.confidence,
            "reason": reason_text(decision.reason),
            "coded_reason": reason_json(decision.reason),
            "provisional": decision.provisional,
        }
        decisions.append({"revision_id": result.job.revision_id, "model_id": result.model_id, **columns})
        events.append(
            {
                "kind": "listing_decided",
                "listing_id": result.job.listing_id,
                "revision_id": result.job.revision_id,
                "payload": {**columns, "model_id": result.model_id},
            }
        )
    if not decisions:
        return
    statement = insert(DecisionRow)
    written = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["revision_id", "model_id"],
            set_={column: statement.excluded[column] for column in DECISION_COLUMNS},
            where=DecisionRow.provisional.is_(True),
        )
        .values(decisions)
        .returning(DecisionRow.revision_id)
    )
    changed = {row.revision_id for row in written}
    new_events = [event for event in events if event["revision_id"] in changed]
    if new_events:
        connection.execute(insert(EventRow).values(new_events))
    connection.execute(
        UPDATE_LISTINGS,
        {
            "listings": [result.job.listing_id for result in results],
            "revisions": [result.job.revision_id for result in results],
            "statuses": [d["status"] for d in decisions],
            "categories": [d["category"] for d in decisions],
            "confidences": [d["confidence"] for d in decisions],
        },
    )
    notify_decided(connection, [result.job.revision_id for result in results])
