"""Studies as lists, pages and progress bars show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from infra.store.sql_fragments import SQL_FINAL_STATES, visible_to
from pipeline.domain.job import JobState
from pipeline.domain.study import STAGE_SHARES, Feasibility, Stage, StudyStatus, TrialStatus

# A study covers every source of its taxonomy, so a key bound to sources sees it only if it may access all of them.
SELECT_STUDIES = """
    SELECT s.id, t.name AS taxonomy, s.taxonomy_id, s.status, s.stage, s.requested_by, s.plan, s.fingerprint, s.level,
           s.categories, s.listings, s.studied, s.verdict, s.best, s.error, s.created_at, s.ended_at
    FROM studies s JOIN taxonomies t ON t.id = s.taxonomy_id
    WHERE (:every OR (EXISTS (SELECT 1 FROM sources o WHERE o.taxonomy_id = s.taxonomy_id)
                      AND NOT EXISTS (SELECT 1 FROM sources o WHERE o.taxonomy_id = s.taxonomy_id
                                      AND o.id <> ALL(CAST(:sources AS bigint[])))))
"""
SELECT_STUDY = text(f"{SELECT_STUDIES} AND s.id = :id")
SELECT_STUDY_PAGE = text(
    f"{SELECT_STUDIES} AND (CAST(:before AS bigint) IS NULL OR s.id < :before) "
    "AND (CAST(:taxonomy AS text) IS NULL OR t.name = :taxonomy) ORDER BY s.id DESC LIMIT :limit"
)
SELECT_LATEST_DONE = text("SELECT max(id) FROM studies WHERE taxonomy_id = :taxonomy AND status = 'done'")
SELECT_TRIALS = text(
    """
    SELECT extractor, modality, protocol, status, reason, figures FROM trials WHERE study_id = :id
    ORDER BY modality, extractor, protocol
    """
)
SELECT_JOBS = text(
    f"""
    SELECT (payload ->> 'study_id')::bigint AS study_id, payload ->> 'stage' AS stage, payload ->> 'name' AS name,
           state, CASE WHEN state IN {SQL_FINAL_STATES} THEN 1 ELSE coalesce(progress, 0) END AS share,
           coalesce(note, '') AS note, extract(epoch FROM coalesce(ended_at, now()) - leased_at)::float8 AS seconds
    FROM jobs WHERE payload ? 'study_id' AND (payload ->> 'study_id')::bigint = ANY(:ids) ORDER BY id
    """
)
# The status of a job that a worker has claimed; the other statuses are those of trials.
RUNNING = "running"


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study as lists show it. ``progress`` runs from 0 to 1; ``best`` is the best ARI by modality (protocol B).

    ``requested_by`` is None for a study started by the schedule; counts are None until its sample is drawn.
    """

    id: int
    taxonomy: str
    taxonomy_id: int
    status: StudyStatus
    stage: Stage
    requested_by: str | None
    plan: Mapping[str, Any]
    fingerprint: str | None
    level: int | None
    categories: int | None
    listings: int | None
    studied: int | None
    verdict: Feasibility | None
    best: Mapping[str, float | None] | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None
    progress: float


@dataclass(frozen=True, slots=True)
class TrialView:
    """A trial; ``figures`` is empty unless the trial is done, ``reason`` says why it failed or was unavailable."""

    extractor: str
    modality: str
    protocol: str
    status: TrialStatus
    reason: str | None
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StudyDetails(StudyView):
    """A study with its trials."""

    trials: tuple[TrialView, ...]


@dataclass(frozen=True, slots=True)
class WorkProgress:
    """Progress of the work on an extractor: ``share`` from 0 to 1, and ``doing``, the current activity, for users.

    ``status`` is that of a trial, or ``running`` while a worker has claimed the job.
    """

    extractor: str
    status: str
    share: float
    doing: str
    reason: str | None
    seconds: float | None
    modality: str | None = None


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """Progress of a study: share (0 to 1), stage and current activity, also for each of its jobs.

    ``trials`` includes those that wait for their stage; ``compared`` and ``supervised`` are empty until theirs begins.
    """

    share: float
    stage: Stage
    doing: str
    trials: tuple[WorkProgress, ...] = ()
    compared: tuple[WorkProgress, ...] = ()
    supervised: tuple[WorkProgress, ...] = ()


@dataclass(frozen=True, slots=True)
class _StageJob:
    study_id: int
    stage: str
    name: str | None
    state: JobState
    share: float
    note: str
    seconds: float | None


def list_studies(
    connection: Connection,
    source_ids: frozenset[int] | None,
    limit: int = 50,
    before_id: int | None = None,
    taxonomy: str | None = None,
) -> list[StudyView]:
    """Studies of the taxonomies whose sources are all among these (None: all studies), newest first."""
    parameters = visible_to(source_ids) | {"before": before_id, "taxonomy": taxonomy, "limit": limit}
    rows = connection.execute(SELECT_STUDY_PAGE, parameters).all()
    jobs = _jobs(connection, [row.id for row in rows if row.status == StudyStatus.RUNNING])
    return [StudyView(**_fields(row, jobs.get(row.id, []))) for row in rows]


def find_study(connection: Connection, study_id: int, source_ids: frozenset[int] | None) -> StudyDetails | None:
    """One study with its trials, or None."""
    row = connection.execute(SELECT_STUDY, visible_to(source_ids) | {"id": study_id}).first()
    if row is None:
        return None
    jobs = _jobs(connection, [study_id]).get(study_id, [])
    return StudyDetails(**_fields(row, jobs), trials=_trials(connection, study_id))


def latest_study(connection: Connection, taxonomy_id: int) -> int | None:
    """The id of a taxonomy's latest study that is done; None when there is none."""
    study_id: int | None = connection.scalar(SELECT_LATEST_DONE, {"taxonomy": taxonomy_id})
    return study_id


def study_progress(connection: Connection, study_id: int) -> StudyProgress:
    """The progress of a study; zero progress for a study that no longer exists."""
    row = connection.execute(SELECT_STUDY, visible_to(None) | {"id": study_id}).first()
    if row is None:
        return StudyProgress(0.0, Stage.SAMPLE, "")
    jobs = _jobs(connection, [study_id]).get(study_id, [])
    activities = [job.note for job in jobs if job.state is JobState.LEASED and job.note]
    return StudyProgress(
        share=_share(row, jobs),
        stage=Stage(row.stage),
        doing="; ".join(activities),
        trials=_trial_progress(_trials(connection, study_id), jobs),
        compared=_stage_progress(Stage.COMPARE, jobs),
        supervised=_stage_progress(Stage.SUPERVISED, jobs),
    )


def _fields(row: Row[Any], jobs: Sequence[_StageJob]) -> dict[str, Any]:
    return {
        **row._mapping,
        "status": StudyStatus(row.status),
        "stage": Stage(row.stage),
        "verdict": None if row.verdict is None else Feasibility(row.verdict),
        "progress": _share(row, jobs),
    }


def _trials(connection: Connection, study_id: int) -> tuple[TrialView, ...]:
    return tuple(
        TrialView(row.extractor, row.modality, row.protocol, TrialStatus(row.status), row.reason, row.figures or {})
        for row in connection.execute(SELECT_TRIALS, {"id": study_id})
    )


def _jobs(connection: Connection, study_ids: Sequence[int]) -> dict[int, list[_StageJob]]:
    jobs_by_study: dict[int, list[_StageJob]] = {}
    if study_ids:
        for row in connection.execute(SELECT_JOBS, {"ids": list(study_ids)}):
            job = _StageJob(**{**row._mapping, "state": JobState(row.state)})
            jobs_by_study.setdefault(row.study_id, []).append(job)
    return jobs_by_study


def _share(study: Row[Any], jobs: Iterable[_StageJob]) -> float:
    """The share of a study that is done: earlier stages count in full, the current one by its jobs."""
    if study.status != StudyStatus.RUNNING:
        return 1.0
    share = 0.0
    for stage, weight in STAGE_SHARES.items():
        if stage == study.stage:
            shares = [job.share for job in jobs if job.stage == stage]
            return round(share + weight * (sum(shares) / len(shares) if shares else 0.0), 4)
        share += weight
    return share


def _trial_progress(trials: Iterable[TrialView], jobs: Iterable[_StageJob]) -> tuple[WorkProgress, ...]:
    """The progress of each extractor; those without a job of their own belong to the job of the stage ``combine``."""
    job_by_name = {(job.stage, job.name): job for job in jobs}
    combine_job = job_by_name.get((Stage.COMBINE, None))
    progress: dict[str, WorkProgress] = {}
    for trial in trials:
        job = job_by_name.get((Stage.TRIAL, trial.extractor)) or combine_job
        progress[trial.extractor] = _progress(
            trial.extractor, trial.status, job, trial.reason, trial.figures.get("seconds"), trial.modality
        )
    return tuple(progress.values())


def _stage_progress(stage: Stage, jobs: Iterable[_StageJob]) -> tuple[WorkProgress, ...]:
    status_by_state = {JobState.DONE: TrialStatus.DONE, JobState.DEAD: TrialStatus.FAILED}
    return tuple(
        _progress(job.name or "", status_by_state.get(job.state, TrialStatus.WAITING), job, None, job.seconds)
        for job in jobs
        if job.stage == stage
    )


def _progress(
    extractor: str,
    status: TrialStatus,
    job: _StageJob | None,
    reason: str | None,
    seconds: float | None,
    modality: str | None = None,
) -> WorkProgress:
    waiting = status is TrialStatus.WAITING
    running = waiting and job is not None and job.state is JobState.LEASED
    share = 1.0 if not waiting else job.share if job is not None else 0.0
    doing = job.note if running and job is not None else ""
    return WorkProgress(
        extractor, RUNNING if running else status.value, round(share, 4), doing, reason, seconds, modality
    )
