"""Long jobs: requested once, begun once a period, taken over only while they wait."""

from __future__ import annotations

import pytest

from pipeline.domain.claimed_job import LongJobResult
from pipeline.domain.errors import Conflict, IdempotencyKeyReused
from pipeline.domain.job import JobKind, JobState, Priority, Queue, Requested
from pipeline.domain.listing import Content, Submission
from pipeline.domain.reason import Reason
from pipeline.domain.source import Source
from pipeline.domain.study import Stage, StudyPlan
from pipeline.domain.training import TrainingRequest
from pipeline.ports.repositories import IdempotencyKey
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps import jobs, studies
from pipeline.steps.intake import accept
from pipeline.steps.jobs import reset_failures, take_over
from pipeline.steps.retention import request_purge
from pipeline.steps.studies import begin_due_studies, request_due_studies, request_study
from pipeline.steps.trainings import cancel_training, request_training
from tests.contracts.contract_store import ContractStore
from tests.contracts.queues import LEASE, RETRY, announce, claim_long_job, take
from tests.contracts.records import LongJobSeen, Records


def test_a_taxonomy_has_one_open_training(
    store: ContractStore, units: UnitsOfWork, records: Records, source: Source
) -> None:
    request = TrainingRequest(level=2, image_extractors=("gist",), promote=True)
    first = request_training(units, source.taxonomy_id, request)
    assert first.is_new
    assert store.relay_was_woken()
    assert request_training(units, source.taxonomy_id, TrainingRequest()) == Requested(first.id, is_new=False)
    assert request_training(units, store.add_source("market").taxonomy_id, TrainingRequest()).is_new
    kind, priority, state, payload = records.long_jobs()[0]
    assert (kind, priority, state) == (JobKind.TRAIN, Priority.PIPELINE, JobState.WAITING)
    assert payload["taxonomy_id"] == source.taxonomy_id
    assert TrainingRequest.of_json(payload) == request
    records.end_long_jobs()
    assert request_training(units, source.taxonomy_id, TrainingRequest()).is_new


def test_an_open_training_can_be_cancelled_once(units: UnitsOfWork, records: Records, source: Source) -> None:
    first = request_training(units, source.taxonomy_id, TrainingRequest())
    announce(units, Queue.TRAINING)
    take(units, Queue.TRAINING)
    claimed = jobs.claim_long_job(units, first.id, "worker/1", LEASE)
    assert claimed is not None
    cancel_training(units, first.id, "Ada")
    assert records.long_jobs()[0].state == JobState.SUPERSEDED
    assert not jobs.report_progress(units, claimed.claim, 0.5, "half"), "the claim holds no longer"
    with pytest.raises(Conflict, match="has ended already"):
        cancel_training(units, first.id, "Ada")
    assert request_training(units, source.taxonomy_id, TrainingRequest()).is_new


def test_another_long_job_is_not_cancelled_as_a_training(store: ContractStore, units: UnitsOfWork) -> None:
    claimed = claim_long_job(store, JobKind.PURGE)
    with pytest.raises(Conflict):
        cancel_training(units, claimed.job_id, "Ada")
    assert jobs.report_progress(units, claimed.claim, 0.5, "half")


def test_a_repeated_request_is_answered_with_the_first_training(
    units: UnitsOfWork, records: Records, source: Source, key_id: int
) -> None:
    once = IdempotencyKey(key_id, "k1", "body")
    first = request_training(units, source.taxonomy_id, TrainingRequest(), once)
    records.end_long_jobs()
    assert request_training(units, source.taxonomy_id, TrainingRequest(), once) == first
    assert len(records.long_jobs()) == 1
    with pytest.raises(IdempotencyKeyReused):
        request_training(units, source.taxonomy_id, TrainingRequest(), IdempotencyKey(key_id, "k1", "other"))


def test_a_taxonomy_has_one_running_study(units: UnitsOfWork, records: Records, source: Source) -> None:
    first = request_study(units, source.taxonomy_id, StudyPlan(), "Ada")
    assert first.is_new
    assert request_study(units, source.taxonomy_id, StudyPlan(sample=5), "Bo") == Requested(first.id, is_new=False)
    payload: dict[str, object] = {"study_id": first.id, "stage": Stage.SAMPLE}
    assert records.long_jobs() == [LongJobSeen(JobKind.STUDY, Priority.PIPELINE, JobState.WAITING, payload)]


def test_a_period_has_one_purge_and_one_job_for_its_studies(units: UnitsOfWork, records: Records) -> None:
    for request in (request_purge, request_due_studies):
        assert [request(units, period) for period in (7, 7, 8)] == [True, False, True]
        records.end_long_jobs()
        assert not request(units, 8), "it had one"
    kinds = [job.kind for job in records.long_jobs()]
    assert kinds == [JobKind.PURGE, JobKind.PURGE, JobKind.STUDY, JobKind.STUDY]


def test_a_period_begins_a_study_of_each_taxonomy_with_enough_labels(
    store: ContractStore, units: UnitsOfWork, records: Records, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "MIN_LABELLED_LISTINGS", 3)
    for shop, labelled in ((source, 3), (store.add_source("small"), 2)):
        contents = [Content(f"Mug {n}", seller_category="Home" if n < labelled else None) for n in range(4)]
        accept(units, shop.id, [Submission(f"{n}", one) for n, one in enumerate(contents)], Priority.IMPORT)
    (study_id,) = begin_due_studies(units, 7)
    assert begin_due_studies(units, 7) == []
    assert request_study(units, source.taxonomy_id, StudyPlan(), "Ada") == Requested(study_id, is_new=False)
    assert [(job.kind, job.priority) for job in records.long_jobs()] == [(JobKind.STUDY, Priority.BACKFILL)]


def test_a_job_is_taken_over_only_while_it_waits(store: ContractStore, units: UnitsOfWork) -> None:
    job_id = store.add_long_job(JobKind.TRAIN)
    assert take_over(units, job_id, 10.0)
    assert store.job(job_id).state == JobState.SENT
    assert not take_over(units, job_id, 10.0)
    with units() as unit:
        assert unit.claims.claim_long_job(job_id, "command/1", 20.0) is not None
        unit.commit()
    assert not take_over(units, job_id, 10.0)


def test_progress_makes_up_for_failures(store: ContractStore, units: UnitsOfWork) -> None:
    job = claim_long_job(store, JobKind.TRAIN)
    with units() as unit:
        unit.claims.end_long_job(job, LongJobResult(Reason.other("no space"), "Traceback"), RETRY)
        unit.commit()
    assert store.job(job.job_id).failures == 1
    store.pass_time(RETRY.first_delay * 2)
    take(units, Queue.TRAINING)
    with units() as unit:
        second = unit.claims.claim_long_job(job.job_id, "trainer/1", LEASE)
        unit.commit()
    assert second is not None
    reset_failures(units, job)
    assert store.job(job.job_id).failures == 1, "the first attempt has ended"
    reset_failures(units, second)
    assert store.job(job.job_id).failures == 0
