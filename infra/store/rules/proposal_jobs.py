"""Jobs that propose what a source's categories mean here: for people who ask, for imports that brought new ones, and
for a new model, whose decisions tell more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, text

from infra.store.notifications import wake_relay
from infra.store.sql import SQL_OPEN_STATES, SQL_OUT_STATES, sql_list, storable
from pipeline.domain.job import JobKind, JobState, Priority, queue_of

HOLD = text("SELECT id FROM sources WHERE id = :source FOR NO KEY UPDATE")
# One that has begun may have read the listings already: for what is new it comes too early.
OPEN = text(
    f"""
    SELECT id FROM jobs WHERE kind = 'map' AND payload ? 'source_id' AND (payload ->> 'source_id')::bigint = :source
    AND (state IN {sql_list((JobState.WAITING, JobState.SENT))}
         OR (:running AND state = '{JobState.LEASED}')) ORDER BY id LIMIT 1
    """
)
# Proposals are better when the new listings are decided: about as much later as that takes, at most an hour.
ADD = text(
    f"""
    INSERT INTO jobs (kind, priority, queue, payload, unique_key, not_before)
    SELECT 'map', CAST(:priority AS priority), CAST(:queue AS queue), CAST(:payload AS jsonb), :key,
           now() + CASE WHEN :later THEN make_interval(secs => (
               SELECT least(3600, 0.05 * count(*)) FROM jobs j JOIN listings l ON l.id = j.listing_id
               WHERE l.source_id = :source AND j.state IN {SQL_OPEN_STATES}
           )) ELSE interval '0' END
    ON CONFLICT (unique_key) DO NOTHING RETURNING id
    """
)
# Whether an import brought a category that there is no rule for, whatever people think of it. A taxonomy without
# categories has nothing to propose.
BROUGHT = text(
    """
    SELECT i.source_id FROM imports i JOIN sources s ON s.id = i.source_id
    WHERE i.id = :import AND i.query IS NOT NULL
      AND EXISTS (SELECT 1 FROM categories c WHERE c.taxonomy_id = s.taxonomy_id)
      AND EXISTS (
        SELECT 1 FROM import_rows r JOIN provenances p ON p.listing_id = r.listing_id
        CROSS JOIN LATERAL jsonb_array_elements_text(p.categories) AS k(name)
        WHERE r.import_id = i.id AND r.verdict IN ('new', 'changed') AND k.name <> '' AND NOT EXISTS (
            SELECT 1 FROM category_rules u WHERE u.source_id = i.source_id AND u.source_category = k.name))
    """
)
# The sources of a taxonomy with categories that nobody has decided on: some are proposed, or there is no rule at all.
OPEN_QUESTIONS = text(
    """
    SELECT s.id FROM sources s WHERE s.taxonomy_id = :taxonomy
      AND EXISTS (SELECT 1 FROM categories c WHERE c.taxonomy_id = s.taxonomy_id)
      AND (EXISTS (SELECT 1 FROM category_rules u WHERE u.source_id = s.id AND u.status = 'proposed')
        OR NOT EXISTS (SELECT 1 FROM category_rules u WHERE u.source_id = s.id)
           AND EXISTS (SELECT 1 FROM listings l JOIN provenances p ON p.listing_id = l.id
                       WHERE l.source_id = s.id AND l.withdrawn_at IS NULL AND p.categories <> '[]'))
    ORDER BY s.id
    """
)
LATEST = text(
    f"""
    SELECT id, state, coalesce(progress, 0) AS progress, coalesce(note, '') AS note,
           state IN {SQL_OUT_STATES} OR (state = '{JobState.WAITING}' AND not_before <= now()) AS due FROM jobs
    WHERE kind = 'map' AND payload ? 'source_id' AND (payload ->> 'source_id')::bigint = :source
    ORDER BY id DESC LIMIT 1
    """
)


@dataclass(frozen=True, slots=True)
class MappingJob:
    """The last job that proposes rules for a source; ``progress`` from 0 to 1, ``note`` in plain words.

    ``due`` says that it is at work, or only waits for a worker; one that is open and not due waits for new listings.
    """

    job_id: int
    state: JobState
    progress: float
    note: str
    due: bool


def request_mapping(connection: Connection, source_id: int, by: str) -> int:
    """Ask for proposals for a source's categories; returns the job. One that is open already is returned instead."""
    connection.execute(HOLD, {"source": source_id})
    open_job = connection.scalar(OPEN, {"source": source_id, "running": True})
    if open_job is not None:
        return int(open_job)
    return _add(connection, source_id, by, None)


def map_what_is_new(connection: Connection, import_id: int) -> int | None:
    """Ask for proposals when an import from a product database brought categories that have no rule yet; the job.

    None when it brought none, or when a job that has not begun will see them.
    """
    source_id = connection.scalar(BROUGHT, {"import": import_id})
    if source_id is None:
        return None
    connection.execute(HOLD, {"source": source_id})
    if connection.scalar(OPEN, {"source": source_id, "running": False}) is not None:
        return None
    return _add(connection, source_id, None, f"map:{import_id}") or None


def map_anew(connection: Connection, taxonomy_id: int) -> None:
    """Ask for proposals for every source of a taxonomy with categories to decide on, unless a job waits already.

    The caller holds the taxonomy's row, so that two promotions do not ask twice.
    """
    for source_id in connection.scalars(OPEN_QUESTIONS, {"taxonomy": taxonomy_id}).all():
        if connection.scalar(OPEN, {"source": source_id, "running": False}) is None:
            _add(connection, source_id, None, None)


def latest_mapping(connection: Connection, source_id: int) -> MappingJob | None:
    """The last job that proposes rules for a source, open or ended; None when there was none."""
    row = connection.execute(LATEST, {"source": source_id}).first()
    return None if row is None else MappingJob(row.id, JobState(row.state), row.progress, row.note, row.due)


def _add(connection: Connection, source_id: int, by: str | None, key: str | None) -> int:
    priority = Priority.PIPELINE if by is not None else Priority.BACKFILL
    job_id = connection.scalar(
        ADD,
        {
            "priority": priority,
            "queue": queue_of(JobKind.MAP, priority),
            "payload": json.dumps({"source_id": source_id, "by": storable(by)}),
            "key": key,
            "later": by is None,
            "source": source_id,
        },
    )
    wake_relay(connection)
    return int(job_id or 0)
