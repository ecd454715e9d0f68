"""Model versions on Postgres: candidates, the active one, and the listings that a promoted version decides anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from infra.store.models.queries import active_model_id
from infra.store.sql import SQL_OPEN_STATES
from infra.store.taxonomies.tables import ModelVersionRow, TaxonomyRow
from pipeline.domain.errors import NotFound
from pipeline.domain.job import AttemptOutcome, JobState
from pipeline.domain.model_version import ModelStatus

# After a rollback, say.
SHOW_KNOWN_DECISIONS = text(
    """
    UPDATE listings SET status = d.status::text::listing_status, category = d.category, confidence = d.confidence,
           updated_at = now()
    FROM decisions d, sources s
    WHERE d.model_id = :model AND NOT d.provisional AND d.revision_id = listings.current_revision_id
      AND s.id = listings.source_id AND s.taxonomy_id = :taxonomy
      AND listings.withdrawn_at IS NULL AND NOT listings.reviewed
    """
)
RELEASE_HELD_JOBS = text(
    f"""
    UPDATE jobs SET not_before = now() WHERE id IN (
        SELECT j.id FROM jobs j JOIN attempts a ON a.job_id = j.id AND a.attempt = j.attempt
        JOIN listings l ON l.id = j.listing_id JOIN sources s ON s.id = l.source_id
        WHERE s.taxonomy_id = :taxonomy AND j.state = '{JobState.WAITING}' AND j.not_before > now()
          AND a.outcome = '{AttemptOutcome.REQUEUED}'
        ORDER BY j.id FOR UPDATE OF j SKIP LOCKED
    )
    """
)
# Listings that nothing has decided yet go before those that have a category already.
REQUEUE_LISTINGS = text(
    f"""
    INSERT INTO jobs (kind, priority, queue, listing_id, revision_id)
    SELECT 'categorise', CASE WHEN l.status = 'abstained' THEN 'import' ELSE 'backfill' END::priority, 'categorise',
           l.id, l.current_revision_id
    FROM listings l JOIN sources s ON s.id = l.source_id
    WHERE s.taxonomy_id = :taxonomy AND l.withdrawn_at IS NULL AND l.current_revision_id IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.revision_id = l.current_revision_id
                      AND d.model_id = :model AND NOT d.provisional)
    ORDER BY l.id
    ON CONFLICT (revision_id) WHERE state IN {SQL_OPEN_STATES} DO NOTHING
    """
)


class SqlModels:
    """Implements ``pipeline.ports.administration.ModelRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def taxonomy_of(self, model_id: int) -> int:
        """The taxonomy of a model version; NotFound when there is no such version."""
        taxonomy_id = self._connection.scalar(select(ModelVersionRow.taxonomy_id).where(ModelVersionRow.id == model_id))
        if taxonomy_id is None:
            raise NotFound(f"there is no model version {model_id}; see: rayon models list")
        return taxonomy_id

    def lock_taxonomy(self, taxonomy_id: int) -> None:
        """Lock a taxonomy's row, which waits for the deciding transactions that hold it FOR SHARE."""
        row = self._connection.execute(
            select(TaxonomyRow.id).where(TaxonomyRow.id == taxonomy_id).with_for_update()
        ).first()
        if row is None:
            raise NotFound(f"there is no taxonomy {taxonomy_id}")

    def active(self, taxonomy_id: int) -> int | None:
        """The active version of a taxonomy, or None."""
        return active_model_id(self._connection, taxonomy_id)

    def last_retired(self, taxonomy_id: int) -> int | None:
        """The version that was active before the present one, or None."""
        return self._connection.scalar(
            select(ModelVersionRow.id)
            .where(ModelVersionRow.taxonomy_id == taxonomy_id, ModelVersionRow.status == ModelStatus.RETIRED)
            .order_by(ModelVersionRow.retired_at.desc(), ModelVersionRow.id.desc())
            .limit(1)
        )

    def next_number(self, taxonomy_id: int) -> int:
        """The number of the next version of a taxonomy, which is locked."""
        latest = self._connection.scalar(
            select(func.max(ModelVersionRow.number)).where(ModelVersionRow.taxonomy_id == taxonomy_id)
        )
        return (latest or 0) + 1

    def add(self, taxonomy_id: int, number: int, manifest: Mapping[str, Any]) -> int:
        """Add a candidate; returns its id."""
        return self._connection.execute(
            insert(ModelVersionRow)
            .values(taxonomy_id=taxonomy_id, number=number, status=ModelStatus.CANDIDATE, manifest=dict(manifest))
            .returning(ModelVersionRow.id)
        ).scalar_one()

    def activate(self, taxonomy_id: int, model_id: int) -> None:
        """Retire the active version and make this one active."""
        self._connection.execute(
            update(ModelVersionRow)
            .where(ModelVersionRow.taxonomy_id == taxonomy_id, ModelVersionRow.status == ModelStatus.ACTIVE)
            .where(ModelVersionRow.id != model_id)
            .values(status=ModelStatus.RETIRED, retired_at=func.now())
        )
        self._connection.execute(
            update(ModelVersionRow)
            .where(ModelVersionRow.id == model_id)
            .values(status=ModelStatus.ACTIVE, promoted_at=func.now(), retired_at=None)
        )
        self._connection.execute(
            update(TaxonomyRow).where(TaxonomyRow.id == taxonomy_id).values(active_model_id=model_id)
        )

    def show_known_decisions(self, taxonomy_id: int, model_id: int) -> None:
        """Show the final decisions that this version made before on their listings, unless they were reviewed."""
        self._connection.execute(SHOW_KNOWN_DECISIONS, {"taxonomy": taxonomy_id, "model": model_id})

    def requeue_listings(self, taxonomy_id: int, model_id: int) -> int:
        """Add a job for each listing that this version has no final decision on; returns how many."""
        return self._connection.execute(REQUEUE_LISTINGS, {"taxonomy": taxonomy_id, "model": model_id}).rowcount

    def release_held_jobs(self, taxonomy_id: int) -> int:
        """Make the waiting jobs due that were held because the former version could not be read; returns how many."""
        return self._connection.execute(RELEASE_HELD_JOBS, {"taxonomy": taxonomy_id}).rowcount
