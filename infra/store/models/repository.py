"""Model versions in Postgres: candidates, the active one, and what a promotion asks to be decided again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from infra.store.notifications import wake_relay
from infra.store.rules import proposal_jobs
from infra.store.sql import SQL_OPEN_STATES
from infra.store.taxonomies.tables import ModelVersionRow, TaxonomyRow
from pipeline.domain.errors import Conflict, NotFound
from pipeline.domain.job import AttemptOutcome, JobState
from pipeline.domain.model_version import ModelStatus

# Final decisions that this model made before (a rollback) show again at once; nothing is computed twice.
SHOW_KNOWN = text(
    """
    UPDATE listings SET status = d.status::text::listing_status, category = d.category, confidence = d.confidence,
           updated_at = now()
    FROM decisions d, sources s
    WHERE d.model_id = :model AND NOT d.provisional AND d.revision_id = listings.current_revision_id
      AND s.id = listings.source_id AND s.taxonomy_id = :taxonomy
      AND listings.withdrawn_at IS NULL AND NOT listings.reviewed
    """
)
# Jobs that were held, because the former model could not be read, need not wait any longer.
RELEASE = text(
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
# Listings that were told "no model yet" go before those that have an answer already.
REQUEUE = text(
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
    """Implements ``pipeline.ports.repositories.ModelRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def next_number(self, taxonomy_id: int) -> int:
        """The number the next version of this taxonomy will have; the taxonomy stays locked until the commit."""
        self._lock_taxonomy(taxonomy_id)
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

    def active(self, taxonomy_id: int) -> int | None:
        """The id of the active version, if any."""
        return self._connection.scalar(select(TaxonomyRow.active_model_id).where(TaxonomyRow.id == taxonomy_id))

    def promote(self, model_id: int) -> int:
        """Make active, retire the former, requeue what it should decide; returns how many were requeued.

        What sources' categories mean is asked again, after that: its decisions are among the grounds of proposals.

        The taxonomy's row is locked first, which waits for the deciding transactions that hold it FOR SHARE.
        """
        taxonomy_id = self._connection.scalar(select(ModelVersionRow.taxonomy_id).where(ModelVersionRow.id == model_id))
        if taxonomy_id is None:
            raise NotFound(f"there is no model version {model_id}; see: rayon models list")
        self._lock_taxonomy(taxonomy_id)
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
        parameters = {"model": model_id, "taxonomy": taxonomy_id}
        self._connection.execute(SHOW_KNOWN, parameters)
        requeued = self._connection.execute(REQUEUE, parameters).rowcount
        released = self._connection.execute(RELEASE, {"taxonomy": taxonomy_id}).rowcount
        proposal_jobs.map_anew(self._connection, taxonomy_id)
        wake_relay(self._connection)
        return requeued + released

    def rollback(self, taxonomy_id: int) -> int:
        """Promote the version that was active before the present one."""
        self._lock_taxonomy(taxonomy_id)
        former = self._connection.scalar(
            select(ModelVersionRow.id)
            .where(ModelVersionRow.taxonomy_id == taxonomy_id, ModelVersionRow.status == ModelStatus.RETIRED)
            .order_by(ModelVersionRow.retired_at.desc(), ModelVersionRow.id.desc())
            .limit(1)
        )
        if former is None:
            raise Conflict("there is no earlier model version to go back to")
        self.promote(former)
        return former

    def _lock_taxonomy(self, taxonomy_id: int) -> None:
        row = self._connection.execute(
            select(TaxonomyRow.id).where(TaxonomyRow.id == taxonomy_id).with_for_update()
        ).first()
        if row is None:
            raise NotFound(f"there is no taxonomy {taxonomy_id}")
