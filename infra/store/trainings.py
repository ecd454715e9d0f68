"""Trainings of model versions as lists and pages show them: plan, progress and the version that they made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from infra.store.models import TAXONOMY_IS_VISIBLE
from infra.store.sql_fragments import visible_to
from pipeline.domain.job import JobState

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
class TrainingView:
    """A training: its ``plan``, its ``progress`` (0 to 1), and the model version it made (None: none, or not yet)."""

    id: int
    taxonomy: str
    state: JobState
    plan: Mapping[str, Any]
    progress: float
    note: str
    model_id: int | None
    created_at: datetime
    ended_at: datetime | None


def find_training(connection: Connection, job_id: int, source_ids: frozenset[int] | None = None) -> TrainingView | None:
    """One training, or None."""
    row = connection.execute(SELECT_TRAINING, visible_to(source_ids) | {"id": job_id}).first()
    return None if row is None else _training(row)


def latest_trainings(connection: Connection, source_ids: frozenset[int] | None = None) -> dict[str, TrainingView]:
    """The newest training of each taxonomy that has had one, by the taxonomy's name."""
    rows = connection.execute(SELECT_LATEST_TRAININGS, visible_to(source_ids))
    return {row.taxonomy: _training(row) for row in rows}


def _training(row: Row[Any]) -> TrainingView:
    return TrainingView(**{**row._mapping, "state": JobState(row.state)})
