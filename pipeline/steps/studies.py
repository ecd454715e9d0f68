"""Studies: requested by users, or begun once per period; workers run them stage by stage (``study_stages``)."""

from __future__ import annotations

from pipeline.domain.job import JobKind, Priority, Requested
from pipeline.domain.study import PLAN_STAGE, Stage, StudyPlan, StudyRequest
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork

# The minimum number of labelled listings of a taxonomy for scheduled studies.
MIN_LABELLED_LISTINGS = 20
# Scheduled studies must fit in the memory of any worker: the visual words of this many photos take a gigabyte.
MAX_SCHEDULED_SAMPLE = 10_000


def request_study(units: UnitsOfWork, taxonomy_id: int, plan: StudyPlan, requested_by: str) -> Requested:
    """Request a study of a taxonomy; returns the running one instead if there is one, whatever its plan."""
    with units() as unit:
        requested = _request(unit, StudyRequest(taxonomy_id, plan, requested_by))
        unit.commit()
        return requested


def request_due_studies(units: UnitsOfWork, period: int) -> bool:
    """Add the job that begins the studies of a period unless there is one; returns whether it was added."""
    with units() as unit:
        payload = {"period": period, "stage": PLAN_STAGE}
        job_id = unit.long_jobs.add(JobKind.STUDY, payload, unique_key=f"{JobKind.STUDY}:{period}")
        unit.commit()
        return job_id is not None


def begin_due_studies(units: UnitsOfWork, period: int) -> list[int]:
    """Begin the studies of a period; returns their ids.

    Every taxonomy with enough labelled listings gets one, unless one is running or it had one in this period. Their
    priority is below that of requested studies.
    """
    plan = StudyPlan(sample=MAX_SCHEDULED_SAMPLE)
    with units() as unit:
        requested = [
            _request(unit, StudyRequest(taxonomy_id, plan, None, f"study:{taxonomy_id}:{period}"))
            for taxonomy_id in unit.studies.taxonomies_to_study(MIN_LABELLED_LISTINGS)
        ]
        unit.commit()
    return [study.id for study in requested if study.is_new]


def _request(unit: UnitOfWork, request: StudyRequest) -> Requested:
    requested = unit.studies.begin(request)
    if requested.is_new:
        priority = Priority.BACKFILL if request.requested_by is None else Priority.PIPELINE
        unit.studies.add_jobs(requested.id, Stage.SAMPLE, [None], priority)
    return requested
