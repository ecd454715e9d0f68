"""Trainings as those who asked for them follow them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

# A key bound to sources sees the trainings of the models that decide for them.
ROWS = """
    SELECT j.id, t.name AS taxonomy, j.state::text AS state, j.payload - 'taxonomy_id' AS plan,
           CASE WHEN j.state = 'done' THEN 1 ELSE coalesce(j.progress, 0) END AS progress, coalesce(j.note, '') AS note,
           (SELECT m.id FROM model_versions m
            WHERE m.taxonomy_id = t.id AND m.manifest->'training' = to_jsonb(j.id)) AS model_id,
           j.created_at, j.ended_at
    FROM {jobs} j JOIN taxonomies t ON t.id = (j.payload->>'taxonomy_id')::bigint
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
