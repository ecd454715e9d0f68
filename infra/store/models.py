"""Model versions: table, repository with the requeueing of listings after a promotion, and lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, ForeignKey, Index, Row, UniqueConstraint, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr, Timestamp, enum_of
from infra.store.sql_fragments import SQL_OPEN_STATES, visible_to
from infra.store.taxonomies.tables import TaxonomyRow
from pipeline.domain.errors import NotFound
from pipeline.domain.job import AttemptOutcome, JobState
from pipeline.domain.model_version import ModelStatus


class ModelVersionRow(Base):
    """A trained model: manifest and metrics here, artefacts in the object storage.

    ``problem`` says why the last worker that tried could not read it; NULL while it can be read.
    """

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("taxonomy_id", "number"),
        UniqueConstraint("taxonomy_id", "id"),
        Index("uq_model_versions_active", "taxonomy_id", unique=True, postgresql_where=text("status = 'active'")),
    )

    id: Mapped[PrimaryKey]
    taxonomy_id: Mapped[int] = mapped_column(ForeignKey("taxonomies.id"))
    number: Mapped[int]
    status: Mapped[ModelStatus] = mapped_column(enum_of(ModelStatus, "model_status"))
    manifest: Mapped[dict[str, Any]] = mapped_column(JSONB)
    problem: Mapped[TextStr | None]
    created_at: Mapped[CreatedAt]
    promoted_at: Mapped[Timestamp | None]
    retired_at: Mapped[Timestamp | None]


# Decisions that the version made earlier, for example before a rollback.
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
# Listings that no model has decided yet come before those that have a category already.
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
    """Implements ``pipeline.ports.administration_repositories.ModelRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def taxonomy_of(self, model_id: int) -> int:
        """The taxonomy of a model version; NotFound when there is no such version."""
        taxonomy_id = self._connection.scalar(select(ModelVersionRow.taxonomy_id).where(ModelVersionRow.id == model_id))
        if taxonomy_id is None:
            raise NotFound(f"there is no model version {model_id}; see: rayon models list")
        return taxonomy_id

    def lock_taxonomy(self, taxonomy_id: int) -> None:
        """Lock a taxonomy's row; waits for the deciding transactions that hold it FOR SHARE."""
        row = self._connection.execute(
            select(TaxonomyRow.id).where(TaxonomyRow.id == taxonomy_id).with_for_update()
        ).first()
        if row is None:
            raise NotFound(f"there is no taxonomy {taxonomy_id}")

    def active(self, taxonomy_id: int) -> int | None:
        """The active version of a taxonomy, or None."""
        return active_model_id(self._connection, taxonomy_id)

    def last_retired(self, taxonomy_id: int) -> int | None:
        """The version that was active before the current one, or None."""
        return self._connection.scalar(
            select(ModelVersionRow.id)
            .where(ModelVersionRow.taxonomy_id == taxonomy_id, ModelVersionRow.status == ModelStatus.RETIRED)
            .order_by(ModelVersionRow.retired_at.desc(), ModelVersionRow.id.desc())
            .limit(1)
        )

    def next_number(self, taxonomy_id: int) -> int:
        """The number of the next version of a taxonomy, which the caller has locked."""
        latest = self._connection.scalar(
            select(func.max(ModelVersionRow.number)).where(ModelVersionRow.taxonomy_id == taxonomy_id)
        )
        return (latest or 0) + 1

    def add(self, taxonomy_id: int, number: int, manifest: Mapping[str, Any]) -> int:
        """Add a candidate version; returns its id."""
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
        """Copy the final decisions that this version made earlier to their listings, unless these were reviewed."""
        self._connection.execute(SHOW_KNOWN_DECISIONS, {"taxonomy": taxonomy_id, "model": model_id})

    def requeue_listings(self, taxonomy_id: int, model_id: int) -> int:
        """Add a job for each listing that this version has no final decision on; returns how many."""
        return self._connection.execute(REQUEUE_LISTINGS, {"taxonomy": taxonomy_id, "model": model_id}).rowcount

    def release_held_jobs(self, taxonomy_id: int) -> int:
        """Make jobs due that were waiting because the previous version could not be read; returns how many."""
        return self._connection.execute(RELEASE_HELD_JOBS, {"taxonomy": taxonomy_id}).rowcount


# An API key bound to sources sees the models and trainings of their taxonomies.
TAXONOMY_IS_VISIBLE = "(:every OR t.id IN (SELECT taxonomy_id FROM sources WHERE id = ANY(:sources)))"
SELECT_MODELS = f"""
    SELECT m.id, m.number, t.name AS taxonomy, m.taxonomy_id, m.status::text AS status, m.problem,
           m.manifest->'listings' AS listings, m.manifest->'level' AS level, m.manifest->>'fingerprint' AS fingerprint,
           jsonb_build_object('text', m.manifest->'text', 'image', m.manifest->'image', 'fused', m.manifest->'fused',
                              'hierarchy', m.manifest->'hierarchy', 'min_level', m.manifest->'min_level') AS metrics,
           m.created_at, m.promoted_at, m.retired_at {{manifest}}
    FROM model_versions m JOIN taxonomies t ON t.id = m.taxonomy_id WHERE {TAXONOMY_IS_VISIBLE}
"""
SELECT_MODELS_OF_TAXONOMY = text(
    f"{SELECT_MODELS.format(manifest='')} AND (CAST(:taxonomy AS text) IS NULL OR t.name = :taxonomy) "
    "ORDER BY t.name, m.number DESC"
)
SELECT_MODEL = text(f"{SELECT_MODELS.format(manifest=', m.manifest')} AND m.id = :id")
SELECT_ACTIVE = text(
    """
    SELECT t.name AS taxonomy, m.id, m.number, m.promoted_at, m.problem
    FROM taxonomies t JOIN model_versions m ON m.id = t.active_model_id ORDER BY t.name
    """
)
# A taxonomy without a model matters only if it has listings.
SELECT_WITHOUT_MODEL = text(
    """
    SELECT t.name FROM taxonomies t WHERE t.active_model_id IS NULL
    AND EXISTS (SELECT 1 FROM sources s JOIN listings l ON l.source_id = s.id WHERE s.taxonomy_id = t.id) ORDER BY 1
    """
)
SELECT_ACTIVE_ID = text("SELECT active_model_id FROM taxonomies WHERE id = :taxonomy")
SELECT_ACTIVE_MANIFEST = text(
    "SELECT m.manifest FROM taxonomies t JOIN model_versions m ON m.id = t.active_model_id WHERE t.id = :taxonomy"
)


@dataclass(frozen=True, slots=True)
class ActiveVersion:
    """A taxonomy's active model version; ``problem`` says why workers cannot read it, None if they can."""

    taxonomy: str
    id: int
    number: int
    promoted_at: datetime | None
    problem: str | None

    def remedy(self) -> str:
        """The command that replaces a version that cannot be read."""
        return f"rayon train --taxonomy '{self.taxonomy}' --promote"


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model version as lists show it; ``metrics``, from its manifest, are by modality, and of the ``hierarchy``."""

    id: int
    number: int
    taxonomy: str
    taxonomy_id: int
    status: ModelStatus
    problem: str | None
    listings: int | None
    level: int | None
    fingerprint: str | None
    metrics: Mapping[str, Any]
    created_at: datetime
    promoted_at: datetime | None
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class ModelDetails(ModelView):
    """A model version with its whole manifest."""

    manifest: Mapping[str, Any]


Model = TypeVar("Model", bound=ModelView)


def list_models(
    connection: Connection, source_ids: frozenset[int] | None = None, taxonomy: str | None = None
) -> list[ModelView]:
    """Versions for the taxonomies of these sources (None: all), by taxonomy, newest first."""
    rows = connection.execute(SELECT_MODELS_OF_TAXONOMY, visible_to(source_ids) | {"taxonomy": taxonomy})
    return [_model(ModelView, row) for row in rows]


def find_model(connection: Connection, model_id: int, source_ids: frozenset[int] | None = None) -> ModelDetails | None:
    """One version with its whole manifest, or None."""
    row = connection.execute(SELECT_MODEL, visible_to(source_ids) | {"id": model_id}).first()
    return None if row is None else _model(ModelDetails, row)


def active_model_id(connection: Connection, taxonomy_id: int) -> int | None:
    """The id of a taxonomy's active version; None when it has none."""
    model_id: int | None = connection.scalar(SELECT_ACTIVE_ID, {"taxonomy": taxonomy_id})
    return model_id


def active_manifest(connection: Connection, taxonomy_id: int) -> Mapping[str, Any] | None:
    """The manifest of a taxonomy's active version; None when it has none."""
    manifest: Mapping[str, Any] | None = connection.scalar(SELECT_ACTIVE_MANIFEST, {"taxonomy": taxonomy_id})
    return manifest


def active_models(connection: Connection) -> list[ActiveVersion]:
    """The active version of each taxonomy that has one."""
    return [ActiveVersion(*row) for row in connection.execute(SELECT_ACTIVE)]


def taxonomies_without_model(connection: Connection) -> list[str]:
    """Names of the taxonomies that have listings but no active model."""
    return list(connection.scalars(SELECT_WITHOUT_MODEL))


def _model(kind: type[Model], row: Row[Any]) -> Model:
    return kind(**{**row._mapping, "status": ModelStatus(row.status)})
