"""Trainings: asked for, one at a time for each taxonomy; a worker does them."""

from __future__ import annotations

from pipeline.domain.idempotency import IdempotencyKey
from pipeline.domain.job import JobKind, Requested
from pipeline.domain.training import TrainingRequest
from pipeline.ports.unit_of_work import UnitsOfWork


def request_training(
    units: UnitsOfWork, taxonomy_id: int, request: TrainingRequest, once: IdempotencyKey | None = None
) -> Requested:
    """Ask for a training of a taxonomy; returns the open one instead when there is one, whatever it was asked to do.

    ``once`` makes the call idempotent: repeated with the same key it returns the first answer, and raises Conflict
    when the body differs.
    """
    with units() as unit:
        if once is not None:
            remembered = unit.idempotency.claim(once)
            if remembered is not None:
                return Requested(remembered["training"], remembered["begun"])
        open_job = unit.long_jobs.find_open_training(taxonomy_id)
        if open_job is not None:
            requested = Requested(open_job, is_new=False)
        else:
            payload = {**request.as_json(), "taxonomy_id": taxonomy_id}
            job_id = unit.long_jobs.add(JobKind.TRAIN, payload)
            assert job_id is not None  # without a unique key nothing is in its way
            requested = Requested(job_id, is_new=True)
        if once is not None:
            unit.idempotency.keep(once, {"training": requested.id, "begun": requested.is_new})
        unit.commit()
        return requested
