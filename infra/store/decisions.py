"""Predictions and decisions of models, reviews and events: their tables, and how results are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import BigInteger, CheckConstraint, Connection, ForeignKey, Index, UniqueConstraint, and_, or_, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CodedReason, CreatedAt, PrimaryKey, TextStr, enum_of
from infra.store.notify_channels import notify_decided
from infra.store.sql_fragments import reason_json, reason_json_text, reason_text
from pipeline.domain.claimed_job import AttemptResult
from pipeline.domain.decision import DecisionStatus
from pipeline.domain.prediction import Modality


class PredictionRow(Base):
    """Ranked categories of one modality: one row per (revision, model version, modality).

    Without a model version, the categories were ranked by their names.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        UniqueConstraint("revision_id", "model_id", "modality"),
        Index(
            "uq_predictions_without_model",
            "revision_id",
            "modality",
            unique=True,
            postgresql_where=text("model_id IS NULL"),
        ),
    )

    id: Mapped[PrimaryKey]
    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"))
    model_id: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"), index=True)
    modality: Mapped[Modality] = mapped_column(enum_of(Modality, "modality"))
    ranked: Mapped[list[Any]] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]


class EmbeddingRow(Base):
    """A feature vector of a revision; there may be vectors of several model versions."""

    __tablename__ = "embeddings"

    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id", ondelete="CASCADE"), primary_key=True)
    extractor: Mapped[TextStr] = mapped_column(primary_key=True)
    vector: Mapped[Any] = mapped_column(Vector())
    created_at: Mapped[CreatedAt]


class DecisionRow(Base):
    """One row per (revision, model version); a final decision replaces a provisional one, or one without a model."""

    __tablename__ = "decisions"
    __table_args__ = (
        UniqueConstraint("revision_id", "model_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("(status = 'abstained') = (category IS NULL)", name="category"),
        CheckConstraint("model_id IS NOT NULL OR status <> 'assigned'", name="model"),
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
    """A reviewer's category for a listing; it outranks every model and is a label for training."""

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
    UPDATE images SET status = CAST(fetched.status AS image_status), storage_key = fetched.storage_key,
           reason = fetched.reason, coded_reason = CAST(fetched.coded_reason AS jsonb)
    FROM unnest(CAST(:ids AS bigint[]), CAST(:statuses AS text[]), CAST(:keys AS text[]), CAST(:reasons AS text[]),
                CAST(:coded_reasons AS text[]))
         AS fetched(id, status, storage_key, reason, coded_reason)
    WHERE images.id = fetched.id
    """
)
# Decisions about older revisions, and about withdrawn or reviewed listings, do not change the listing.
UPDATE_LISTINGS = text(
    """
    UPDATE listings SET status = CAST(decided.status AS listing_status), category = decided.category,
           confidence = decided.confidence, updated_at = now()
    FROM unnest(CAST(:listings AS bigint[]), CAST(:revisions AS bigint[]), CAST(:statuses AS text[]),
                CAST(:categories AS text[]), CAST(:confidences AS float8[]))
         AS decided(listing, revision, status, category, confidence)
    WHERE id = decided.listing AND current_revision_id = decided.revision AND withdrawn_at IS NULL AND NOT reviewed
    """
)


def write_images(connection: Connection, results: Sequence[AttemptResult]) -> None:
    """Write the result of fetching each image."""
    images = [image for result in results for image in result.images]
    if images:
        connection.execute(
            UPDATE_IMAGES,
            {
                "ids": [image.image_id for image in images],
                "statuses": [image.status for image in images],
                "keys": [image.storage_key for image in images],
                "reasons": [reason_text(image.reason) for image in images],
                "coded_reasons": [reason_json_text(image.reason) for image in images],
            },
        )


def write_predictions(connection: Connection, results: Sequence[AttemptResult]) -> None:
    """Write predictions and embeddings with the model version that made them."""
    predictions = [
        {
            "revision_id": result.job.revision_id,
            "model_id": result.model_id,
            "modality": prediction.modality,
            "ranked": [[ranked.category, round(ranked.probability, 6)] for ranked in prediction.ranked],
        }
        for result in results
        for prediction in result.predictions
    ]
    statement = insert(PredictionRow)
    new_ranking = {"ranked": statement.excluded.ranked}
    # Replaces predictions behind a provisional decision; a repeated computation writes the same values.
    by_model = statement.on_conflict_do_update(index_elements=["revision_id", "model_id", "modality"], set_=new_ranking)
    by_names = statement.on_conflict_do_update(
        index_elements=["revision_id", "modality"], index_where=PredictionRow.model_id.is_(None), set_=new_ranking
    )
    for upsert, has_model in ((by_model, True), (by_names, False)):
        rows = [prediction for prediction in predictions if (prediction["model_id"] is not None) is has_model]
        if rows:
            connection.execute(upsert.values(rows))
    embeddings = [
        {"revision_id": result.job.revision_id, "model_id": result.model_id, "extractor": name, "vector": vector}
        for result in results
        if result.model_id is not None
        for name, vector in result.embeddings.items()
    ]
    if embeddings:
        connection.execute(insert(EmbeddingRow).on_conflict_do_nothing().values(embeddings))


def write_decisions(connection: Connection, results: Sequence[AttemptResult]) -> None:
    """Write decisions, copy them to their listings, add an event for each new one, and notify waiting requests.

    A final decision of a model is never replaced: deciding again with it changes nothing. One without a model follows
    the names of the categories.
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
            where=or_(
                DecisionRow.provisional.is_(True),
                and_(
                    DecisionRow.model_id.is_(None),
                    or_(
                        DecisionRow.category.is_distinct_from(statement.excluded.category),
                        DecisionRow.reason.is_distinct_from(statement.excluded.reason),
                    ),
                ),
            ),
        )
        .values(decisions)
        .returning(DecisionRow.revision_id)
    )
    changed_revisions = {row.revision_id for row in written}
    new_events = [event for event in events if event["revision_id"] in changed_revisions]
    if new_events:
        connection.execute(insert(EventRow).values(new_events))
    connection.execute(
        UPDATE_LISTINGS,
        {
            "listings": [result.job.listing_id for result in results],
            "revisions": [result.job.revision_id for result in results],
            "statuses": [row["status"] for row in decisions],
            "categories": [row["category"] for row in decisions],
            "confidences": [row["confidence"] for row in decisions],
        },
    )
    notify_decided(connection, [result.job.revision_id for result in results])
