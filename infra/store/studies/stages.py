"""The stages of a study as jobs: the transaction that ends a stage's last job inserts the jobs of the next one.

Every transaction that ends or gives up a job of a study locks the study's row first, so that exactly one of them finds
no open job; unique keys prevent a job from being inserted twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from infra.store.sql_fragments import SQL_OPEN_STATES, reason_json_text, reason_text
from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.job import JobKind, Priority
from pipeline.domain.reason import Reason
from pipeline.domain.study import Stage, StudyStatus, next_stage

LOCK_STUDY = text("SELECT status, stage, agenda FROM studies WHERE id = :id FOR UPDATE")
COUNT_OPEN_JOBS = text(
    f"""
    SELECT count(*) FROM jobs WHERE payload ? 'study_id' AND (payload ->> 'study_id')::bigint = :id
    AND state IN {SQL_OPEN_STATES}
    """
)
INSERT_STAGE_JOBS = text(
    """
    INSERT INTO jobs (kind, priority, queue, payload, unique_key)
    SELECT 'study', CAST(:priority AS priority), 'training',
           jsonb_strip_nulls(jsonb_build_object('study_id', CAST(:id AS bigint), 'stage', CAST(:stage AS text),
                                                'name', new_job.name)),
           concat_ws(':', 'study', :id, :stage, new_job.name)
    FROM unnest(CAST(:names AS text[])) AS new_job(name) ON CONFLICT (unique_key) DO NOTHING
    """
)
UPDATE_STAGE = text("UPDATE studies SET stage = CAST(:stage AS study_stage) WHERE id = :id")
# The study continues without a job that was parameters up: an extra job of the stage ``advance`` records the failure.
INSERT_ADVANCE_JOBS = text(
    """
    INSERT INTO jobs (kind, priority, queue, payload, unique_key)
    SELECT 'study', priority, queue,
           payload || jsonb_strip_nulls(jsonb_build_object(
               'stage', 'advance', 'of', payload ->> 'stage', 'reason', CAST(:reason AS text),
               'coded_reason', CAST(:coded AS jsonb))),
           concat_ws(':', 'study', payload ->> 'study_id', 'advance', id, attempt)
    FROM jobs WHERE id = ANY(:ids) AND kind = 'study' AND payload ? 'study_id' AND payload ->> 'stage' <> 'advance'
    ON CONFLICT (unique_key) DO NOTHING
    """
)
# If that job is parameters up as well, the study fails.
FAIL_STUDIES = text(
    """
    UPDATE studies SET status = 'failed', error = :reason, coded_error = CAST(:coded AS jsonb), ended_at = now()
    FROM jobs WHERE jobs.id = ANY(:ids) AND jobs.kind = 'study' AND jobs.payload ->> 'stage' = 'advance'
    AND studies.id = (jobs.payload ->> 'study_id')::bigint AND studies.status = 'running'
    """
)


def study_id_of(job: ClaimedLongJob) -> int | None:
    """The id of the study that a claimed job belongs to; None for jobs of other kinds."""
    study_id = job.payload.get("study_id") if job.kind is JobKind.STUDY else None
    return None if study_id is None else int(study_id)


def lock_study(connection: Connection, study_id: int) -> None:
    """Lock the study's row until the transaction ends; to be called before any of its jobs are locked."""
    connection.execute(LOCK_STUDY, {"id": study_id})


def begin_next_stage(connection: Connection, study_id: int, job_id: int) -> bool:
    """Insert the jobs of the next stage if no job of the study is open; False if there is nothing to insert.

    The caller has locked the study's row and ended ``job_id`` in the same transaction; it wakes the relay.
    """
    study = connection.execute(LOCK_STUDY, {"id": study_id}).first()
    if study is None or study.status != StudyStatus.RUNNING or connection.scalar(COUNT_OPEN_JOBS, {"id": study_id}):
        return False
    following = next_stage(Stage(study.stage), study.agenda)
    if following is None:
        return False
    connection.execute(UPDATE_STAGE, {"id": study_id, "stage": following.stage})
    priority = Priority(connection.scalar(text("SELECT priority FROM jobs WHERE id = :id"), {"id": job_id}))
    add_jobs(connection, study_id, following.stage, following.names, priority)
    return True


def add_jobs(
    connection: Connection, study_id: int, stage: Stage, names: Sequence[str | None], priority: Priority
) -> None:
    """Insert a waiting job for each name, unless it exists already. The caller wakes the relay."""
    connection.execute(INSERT_STAGE_JOBS, {"id": study_id, "stage": stage, "names": list(names), "priority": priority})


def continue_without(connection: Connection, job_ids: Sequence[int], reason: Reason) -> None:
    """Continue studies without their jobs that were parameters up; jobs of other kinds are ignored."""
    parameters = {"ids": list(job_ids), "reason": reason_text(reason), "coded": reason_json_text(reason)}
    connection.execute(INSERT_ADVANCE_JOBS, parameters)
    connection.execute(FAIL_STUDIES, parameters)
