"""Trainings: requested (at most one per taxonomy is open), cancelled; workers run them (``train``)."""

from __future__ import annotations

from pipeline.domain.errors import Conflict
from pipeline.domain.job import JobKind, Requested
from pipeline.domain.training import TrainingRequest
from pipeline.ports.repositories import IdempotencyKey, StoredAnswer
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork
from pipeline.steps.idempotency import answer_once


def request_training(
    units: UnitsOfWork, taxonomy_id: int, request: TrainingRequest, key: IdempotencyKey | None = None
) -> Requested:
    """Request a training of a taxonomy; returns the open one instead if there is one, whatever its options.

    A call with the same idempotency key returns the first answer; raises IdempotencyKeyReused if the key was used for
    another request.
    """
    with units() as unit:
        requested = answer_once(unit, key, lambda: _request(unit, taxonomy_id, request), _to_answer, _from_answer)
        unit.commit()
        return requested


def cancel_training(units: UnitsOfWork, job_id: int, cancelled_by: str) -> None:
    """End an open training: a worker that runs it stops at its next progress report, and no version is saved.

    Raises Conflict if the job is no training, or has ended.
    """
    with units() as unit:
        if not unit.long_jobs.cancel_training(job_id, f"cancelled by {cancelled_by}"):
            raise Conflict(f"the training {job_id} has ended already: there is nothing to cancel")
        unit.commit()


def _request(unit: UnitOfWork, taxonomy_id: int, request: TrainingRequest) -> Requested:
    open_job = unit.long_jobs.find_open_training(taxonomy_id)
    if open_job is not None:
        return Requested(open_job, is_new=False)
    job_id = unit.long_jobs.add(JobKind.TRAIN, {**request.as_json(), "taxonomy_id": taxonomy_id})
    assert job_id is not None  # only a unique key can be taken
    return Requested(job_id, is_new=True)


def _to_answer(requested: Requested) -> StoredAnswer:
    return {"training": requested.id, "begun": requested.is_new}


def _from_answer(answer: StoredAnswer) -> Requested:
    return Requested(answer["training"], answer["begun"])
