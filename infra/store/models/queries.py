"""Model versions side by side with their held-out figures, which of them decide, and trainings as users follow them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from pipeline.domain.job import JobState

MODELS = """
    SELECT m.id, m.number, t.name AS taxonomy, m.taxonomy_id, m.status::text AS status, m.problem,
           m.manifest->'listings' AS listings, m.manifest->'level' AS level, m.manifest->>'fingerprint' AS fingerprint,
           jsonb_build_object('text', m.manifest->'text', 'image', m.manifest->'image', 'fused', m.manifest->'fused')
           AS metrics, m.created_at, m.promoted_at, m.retired_at
    FROM model_versions m JOIN taxonomies t ON t.id = m.taxonomy_id
"""
# A key bound to sources sees the models that decide for them.
SEEN = "(:every OR m.taxonomy_id IN (SELECT taxonomy_id FROM sources WHERE id = ANY(:sources)))"
ACTIVE = text(
    """
    SELECT t.name AS taxonomy, m.id, m.number, m.promoted_at, m.problem
    FROM taxonomies t JOIN model_versions m ON m.id = t.active_model_id ORDER BY t.name
    """
)
# Models that are missing only matter to taxonomies somebody posts to.
WITHOUT = text(
    """
    SELECT t.name FROM taxonomies t WHERE t.active_model_id IS NULL
    AND EXISTS (SELECT 1 FROM sources s JOIN listings l ON l.source_id = s.id WHERE s.taxonomy_id = t.id) ORDER BY 1
    """
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
        """What mends a version that cannot be read."""
        return f"rayon train --taxonomy '{self.taxonomy}' --promote"


def list_models(
    connection: Connection, source_ids: frozenset[int] | None = None, taxonomy: str | None = None
) -> list[dict[str, Any]]:
    """Versions that decide for these sources (None: all), by taxonomy, newest first; ``metrics`` by modality."""
    statement = text(
        f"{MODELS} WHERE {SEEN} AND (CAST(:taxonomy AS text) IS NULL OR t.name = :taxonomy) "
        "ORDER BY t.name, m.number DESC"
    )
    rows = connection.execute(statement, _seen(source_ids) | {"taxonomy": taxonomy})
    return [dict(row) for row in rows.mappings()]


def find_model(
    connection: Connection, model_id: int, source_ids: frozenset[int] | None = None
) -> dict[str, Any] | None:
    """One version with its whole manifest, or None."""
    statement = text(f"{MODELS.replace('SELECT', 'SELECT m.manifest,', 1)} WHERE m.id = :id AND {SEEN}")
    row = connection.execute(statement, _seen(source_ids) | {"id": model_id}).mappings().first()
    return None if row is None else dict(row)


def active_models(connection: Connection) -> list[ActiveVersion]:
    """The active version of each taxonomy that has one."""
    return [ActiveVersion(*row) for row in connection.execute(ACTIVE)]


def taxonomies_without_model(connection: Connection) -> list[str]:
    """Names of the taxonomies that have listings but no active model."""
    return list(connection.scalars(WITHOUT))


def _seen(source_ids: frozenset[int] | None) -> dict[str, Any]:
    return {"every": source_ids is None, "sources": sorted(source_ids or ())}


# A key bound to sources sees the trainings of the models that decide for them.
ROWS = f"""
    SELECT j.id, t.name AS taxonomy, j.state::text AS state, j.payload - 'taxonomy_id' AS plan,
           CASE WHEN j.state = '{JobState.DONE}' THEN 1 ELSE coalesce(j.progress, 0) END AS progress,
           coalesce(j.note, '') AS note,
           (SELECT m.id FROM model_versions m
            WHERE m.taxonomy_id = t.id AND m.manifest->'training' = to_jsonb(j.id)) AS model_id,
           j.created_at, j.ended_at
    FROM {{jobs}} j JOIN taxonomies t ON t.id = (j.payload->>'taxonomy_id')::bigint
    WHERE (:every OR t.id IN (SELECT taxonomy_id FROM sources WHERE id = ANY(:sources)))
"""
TRAINING = text(ROWS.format(jobs="(SELECT * FROM jobs WHERE id = :id AND kind = 'train')"))
LATEST = text(
    ROWS.format(
        jobs="(SELECT DISTINCT ON ((payload->>'taxonomy_id')::bigint) * FROM jobs "
        "WHERE kind = 'train' AND payload ? 'taxonomy_id' ORDER BY (payload->>'taxonomy_id')::bigint, id DESC)"
    )
)


def find_training(
    connection: Connection, job_id: int, source_ids: frozenset[int] | None = None
) -> dict[str, Any] | None:
    """How far a training is, its ``plan``, and the model version it made (None: none yet); None when there is none."""
    row = connection.execute(TRAINING, {"id": job_id, **_seen_by(source_ids)}).mappings().first()
    return None if row is None else dict(row)


def latest_trainings(connection: Connection, source_ids: frozenset[int] | None = None) -> dict[str, dict[str, Any]]:
    """The newest training of each taxonomy that has had one, by the taxonomy's name; as ``find_training``."""
    rows = connection.execute(LATEST, _seen_by(source_ids)).mappings()
    return {row["taxonomy"]: dict(row) for row in rows}


def _seen_by(source_ids: frozenset[int] | None) -> dict[str, Any]:
    return {"every": source_ids is None, "sources": sorted(source_ids or ())}
