"""What was found about revisions, in the tables people read: images, predictions, embeddings, decisions, events."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from infra.store.decisions.tables import DecisionRow, EmbeddingRow, EventRow, PredictionRow
from infra.store.notifications import notify_decided
from infra.store.sql import storable
from pipeline.domain.claimed_job import AttemptResult

IMAGES = text(
    """
    UPDATE images SET status = CAST(seen.status AS image_status), storage_key = seen.storage_key, reason = seen.reason
    FROM unnest(CAST(:ids AS bigint[]), CAST(:statuses AS text[]), CAST(:keys AS text[]), CAST(:reasons AS text[]))
         AS seen(id, status, storage_key, reason)
    WHERE images.id = seen.id
    """
)
# A decision of an older revision, of a withdrawn or of a reviewed listing changes nothing that people see.
SHOW = text(
    """
    UPDATE listings SET status = CAST(shown.status AS listing_status), category = shown.category,
           confidence = shown.confidence, updated_at = now()
    FROM unnest(CAST(:listings AS bigint[]), CAST(:revisions AS bigint[]), CAST(:statuses AS text[]),
                CAST(:categories AS text[]), CAST(:confidences AS float8[]))
         AS shown(listing, revision, status, category, confidence)
    WHERE id = shown.listing AND current_revision_id = shown.revision AND withdrawn_at IS NULL AND NOT reviewed
    """
)


def model_id_of(finding: AttemptResult) -> int | None:
    """The model version a finding rests on; None when the taxonomy had none yet."""
    return finding.job.model.model_id if finding.job.model else None


def write_images(connection: Connection, kept: Sequence[AttemptResult]) -> None:
    """What the fetch found out about each image."""
    images = [image for f in kept for image in f.images]
    if images:
        connection.execute(
            IMAGES,
            {
                "ids": [i.image_id for i in images],
                "statuses": [i.status for i in images],
                "keys": [i.storage_key for i in images],
                "reasons": [storable(i.reason) for i in images],
            },
        )


def write_predictions(connection: Connection, kept: Sequence[AttemptResult]) -> None:
    """Predictions and embeddings, by the model version that made them."""
    predictions = [
        {
            "revision_id": f.job.revision_id,
            "model_id": f.job.model.model_id,
            "modality": p.modality,
            "ranked": [[r.category, round(r.probability, 6)] for r in p.ranked],
        }
        for f in kept
        if f.job.model
        for p in f.predictions
    ]
    if predictions:
        statement = insert(PredictionRow)
        # A provisional answer's rows are replaced; the same computation again writes the same.
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["revision_id", "model_id", "modality"], set_={"ranked": statement.excluded.ranked}
            ).values(predictions)
        )
    embeddings = [
        {"revision_id": f.job.revision_id, "model_id": f.job.model.model_id, "extractor": name, "vector": vector}
        for f in kept
        if f.job.model
        for name, vector in f.embeddings.items()
    ]
    if embeddings:
        connection.execute(insert(EmbeddingRow).on_conflict_do_nothing().values(embeddings))


def write_decisions(connection: Connection, decided: Sequence[AttemptResult]) -> None:
    """Decisions, what lists show of them, an event for each new one, and a NOTIFY for those who wait.

    A final decision is never replaced: deciding again by the same model changes nothing.
    """
    rows = []
    events = []
    for f in decided:
        d = f.decision
        assert d is not None
        row = {
            "status": d.status,
            "category": d.category,
            "confidence": d.confidence,
            "reason": storable(d.reason),
            "provisional": d.provisional,
        }
        rows.append({"revision_id": f.job.revision_id, "model_id": model_id_of(f), **row})
        events.append(
            {
                "kind": "listing_decided",
                "listing_id": f.job.listing_id,
                "revision_id": f.job.revision_id,
                "payload": {**row, "model_id": model_id_of(f)},
            }
        )
    if not rows:
        return
    statement = insert(DecisionRow)
    written = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["revision_id", "model_id"],
            set_={c: statement.excluded[c] for c in ("status", "category", "confidence", "reason", "provisional")},
            where=DecisionRow.provisional.is_(True),
        )
        .values(rows)
        .returning(DecisionRow.revision_id)
    )
    changed = {row.revision_id for row in written}
    news = [event for event in events if event["revision_id"] in changed]
    if news:
        connection.execute(insert(EventRow).values(news))
    connection.execute(
        SHOW,
        {
            "listings": [f.job.listing_id for f in decided],
            "revisions": [f.job.revision_id for f in decided],
            "statuses": [r["status"] for r in rows],
            "categories": [r["category"] for r in rows],
            "confidences": [r["confidence"] for r in rows],
        },
    )
    notify_decided(connection, [f.job.revision_id for f in decided])
