"""Studies: requested by users, or begun once a period; workers run them stage by stage (``study_stages``)."""

from __future__ import annotations

from pipeline.domain.job import JobKind, Priority, Requested
from pipeline.domain.study import PLAN_STAGE, Stage, StudyPlan, StudyRequest
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork

# A taxonomy with fewer labelled listings is not studied without a request.
ENOUGH_LISTINGS = 20
# A study without a request must fit on any worker: the visual words of this many photos take a gigabyte.
MAX_SAMPLE_UNREQUESTED = 10_000


def request_study(units: UnitsOfWork, taxonomy_id: int, plan: StudyPlan, requested_by: str) -> Requested:
    """Request a study of a taxonomy; returns the running one instead when there is one, whatever its plan."""
    with units() as unit:
        requested = _request(unit, StudyRequest(taxonomy_id, plan, requested_by))
        unit.commit()
        return requested


def request_due_studies(units: UnitsOfWork, period: int) -> bool:
    """Add the job that begins the studies of a period, unless it is there already; returns whether it was added."""
    with units() as unit:
        payload = {"period": period, "stage": PLAN_STAGE}
        job_id = unit.long_jobs.add(JobKind.STUDY, payload, unique_key=f"{JobKind.STUDY}:{period}")
        unit.commit()
        return job_id is not None


def begin_due_studies(units: UnitsOfWork, period: int) -> list[int]:
    """Begin the studies of a period; returns their ids.

    Every taxonomy with enough labelled listings gets one, unless a study of it runs or it had one in this period. Their
    priority is below that of requested studies.
    """
    plan = StudyPlan(sample=MAX_SAMPLE_UNREQUESTED)
    with units() as unit:
        requested = [
            _request(unit, StudyRequest(taxonomy_id, plan, None, f"study:{taxonomy_id}:{period}"))
            for taxonomy_id in unit.studies.taxonomies_to_study(ENOUGH_LISTINGS)
        ]
        unit.commit()
    return [study.id for study in requested if study.is_new]


def _request(unit: UnitOfWork, request: StudyRequest) -> Requested:
    requested = unit.studies.begin(request)
    if requested.is_new:
        priority = Priority.BACKFILL if request.requested_by is None else Priority.PIPELINE
        unit.studies.add_jobs(requested.id, Stage.SAMPLE, [None], priority)
    return requested
