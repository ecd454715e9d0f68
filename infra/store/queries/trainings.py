"""Trainings as those who asked for them follow them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

# A key bound to sources sees the trainings of the models that decide for them.
TRAINING = text(
    """
    SELECT j.id, t.name AS taxonomy, j.state::text AS state, j.payload - 'taxonomy_id' AS plan,
           CASE WHEN j.state = 'done' THEN 1 ELSE coalesce(j.progress, 0) END AS progress, coalesce(j.note, '') AS note,
           (SELECT m.id FROM model_versions m
            WHERE m.taxonomy_id = t.id AND m.manifest->'training' = to_jsonb(j.id)) AS model_id,
           j.created_at, j.ended_at
    FROM jobs j JOIN taxonomies t ON t.id = (j.payload->>'taxonomy_id')::bigint
    WHERE j.id = :id AND j.kind = 'train'
    AND (:every OR t.id IN (SELECT taxonomy_id FROM sources WHERE id = ANY(:sources)))
    """
)


def find_training(
    connection: Connection, job_id: int, source_ids: frozenset[int] | None = None
) -> dict[str, Any] | None:
    """How far a training is, its ``plan``, and the model version it made (None: none yet); None when there is none."""
    parameters = {"id": job_id, "every": source_ids is None, "sources": sorted(source_ids or ())}
    row = connection.execute(TRAINING, parameters).mappings().first()
    return None if row is None else dict(row)
