"""Model versions with their held-out figures, which of them decide, and trainings as users follow them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from infra.store.sql import visible_to
from pipeline.domain.job import JobState
from pipeline.domain.model_version import ModelStatus

# A key bound to sources sees the models and trainings of their taxonomies.
TAXONOMY_IS_VISIBLE = "(:every OR t.id IN (SELECT taxonomy_id FROM sources WHERE id = ANY(:sources)))"
SELECT_MODELS = f"""
    SELECT m.id, m.number, t.name AS taxonomy, m.taxonomy_id, m.status::text AS status, m.problem,
           m.manifest->'listings' AS listings, m.manifest->'level' AS level, m.manifest->>'fingerprint' AS fingerprint,
           jsonb_build_object('text', m.manifest->'text', 'image', m.manifest->'image', 'fused', m.manifest->'fused')
           AS metrics, m.created_at, m.promoted_at, m.retired_at {{manifest}}
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
SELECT_TRAININGS = f"""
    SELECT j.id, t.name AS taxonomy, j.state::text AS state, j.payload - 'taxonomy_id' AS plan,
           CASE WHEN j.state = '{JobState.DONE}' THEN 1 ELSE coalesce(j.progress, 0) END AS progress,
           coalesce(j.note, '') AS note,
           (SELECT m.id FROM model_versions m
            WHERE m.taxonomy_id = t.id AND m.manifest->'training' = to_jsonb(j.id)) AS model_id,
           j.created_at, j.ended_at
    FROM {{jobs}} j JOIN taxonomies t ON t.id = (j.payload->>'taxonomy_id')::bigint WHERE {TAXONOMY_IS_VISIBLE}
"""
SELECT_TRAINING = text(SELECT_TRAININGS.format(jobs="(SELECT * FROM jobs WHERE id = :id AND kind = 'train')"))
SELECT_LATEST_TRAININGS = text(
    SELECT_TRAININGS.format(
        jobs="(SELECT DISTINCT ON ((payload->>'taxonomy_id')::bigint) * FROM jobs "
        "WHERE kind = 'train' AND payload ? 'taxonomy_id' ORDER BY (payload->>'taxonomy_id')::bigint, id DESC)"
    )
)


@dataclass(frozen=True, slots=True)
class ActiveVersion:
    """The model version that decides for a taxonomy; ``problem`` says why workers cannot read it, None if they can."""

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
    """A model version as lists show it; ``metrics`` are the held-out figures by modality, as its manifest has them."""

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


@dataclass(frozen=True, slots=True)
class TrainingView:
    """A training: its ``plan``, how far it is (0 to 1), and the model version it made (None: none, or not yet)."""

    id: int
    taxonomy: str
    state: JobState
    plan: Mapping[str, Any]
    progress: float
    note: str
    model_id: int | None
    created_at: datetime
    ended_at: datetime | None


def list_models(
    connection: Connection, source_ids: frozenset[int] | None = None, taxonomy: str | None = None
) -> list[ModelView]:
    """Versions that decide for these sources (None: all), by taxonomy, newest first."""
    rows = connection.execute(SELECT_MODELS_OF_TAXONOMY, visible_to(source_ids) | {"taxonomy": taxonomy})
    return [ModelView(**_model_fields(row)) for row in rows]


def find_model(connection: Connection, model_id: int, source_ids: frozenset[int] | None = None) -> ModelDetails | None:
    """One version with its whole manifest, or None."""
    row = connection.execute(SELECT_MODEL, visible_to(source_ids) | {"id": model_id}).first()
    return None if row is None else ModelDetails(**_model_fields(row))


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


def find_training(connection: Connection, job_id: int, source_ids: frozenset[int] | None = None) -> TrainingView | None:
    """One training, or None."""
    row = connection.execute(SELECT_TRAINING, visible_to(source_ids) | {"id": job_id}).first()
    return None if row is None else _training(row)


def latest_trainings(connection: Connection, source_ids: frozenset[int] | None = None) -> dict[str, TrainingView]:
    """The newest training of each taxonomy that has had one, by the taxonomy's name."""
    rows = connection.execute(SELECT_LATEST_TRAININGS, visible_to(source_ids))
    return {row.taxonomy: _training(row) for row in rows}


def _model_fields(row: Row[Any]) -> dict[str, Any]:
    return {**row._mapping, "status": ModelStatus(row.status)}


def _training(row: Row[Any]) -> TrainingView:
    return TrainingView(**{**row._mapping, "state": JobState(row.state)})
