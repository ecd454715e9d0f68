"""What use cases may expect of claims: one at a time, renewed, and fenced when they have ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.claimed_job import AttemptResult, Claim, ClaimedJob, ImageResult, ImageToFetch, LongJobResult
from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.job import JobKind, Priority, Queue, Retry, RetryCause, SweepCounts
from pipeline.domain.listing import Content, ImageStatus, Submission
from pipeline.domain.prediction import Modality, Prediction, Ranked
from pipeline.domain.reason import Reason
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.intake import accept, withdraw
from pipeline.steps.retire_categories import retire_category
from tests.contracts.contract_store import ContractStore, DecisionSeen
from tests.contracts.queues import LEASE, RETRY, announce, claim, claim_all, claim_long_job, finish, post, sweep, take

HOME = Decision(DecisionStatus.ASSIGNED, "Home", 0.9, Reason.other("sure"))
GARDEN = replace(HOME, category="Garden", provisional=True)
FAILURE = Retry(RetryCause.FAILURE, 5.0, Reason.other("the storage does not answer"))


def decided(job: ClaimedJob, decision: Decision | None = HOME, retry: Retry | None = None) -> AttemptResult:
    predictions = (Prediction(Modality.TEXT, (Ranked("Home", 0.9), Ranked("Garden", 0.1))),)
    images = (ImageResult(job.images[0].image_id, ImageStatus.STORED, "images/1"),)
    return AttemptResult(job, decision, predictions, images=images, seconds={"text": 0.25}, retry=retry)


def the_job(store: ContractStore, units: UnitsOfWork, source: Source) -> ClaimedJob:
    """A claimed job of a taxonomy with an active model."""
    store.activate_model(source.taxonomy_id)
    post(units, source, "a")
    (job,) = claim_all(units)
    return job


def again(store: ContractStore, units: UnitsOfWork, seconds: float = 5.0) -> ClaimedJob:
    """The next attempt, after its delay."""
    store.pass_time(seconds)
    (job,) = claim_all(units)
    return job


def test_a_claimed_job_comes_with_all_that_its_use_case_needs(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    model = store.activate_model(source.taxonomy_id)
    (revision,) = post(units, source, "a")
    (job,) = claim_all(units)
    assert (job.revision_id, job.taxonomy_id, job.attempt, job.failures) == (revision, source.taxonomy_id, 1, 0)
    assert (job.content.name, job.content.images) == ("Mug a", ("uploads/a",))
    assert job.images == (ImageToFetch(job.images[0].image_id, "uploads/a", None),)
    assert job.model == model
    assert store.job(job.job_id).worker == "worker/1"


def test_a_job_is_claimed_once_and_only_when_it_was_sent(units: UnitsOfWork, source: Source) -> None:
    announce(units)
    post(units, source, "a", "b")
    (batch,) = take(units)
    with units() as unit:
        unit.outbox.requeue(batch.job_ids)
        unit.commit()
    assert claim(units, batch.job_ids) == [], "they wait"
    take(units)
    assert len(claim(units, batch.job_ids)) == 2
    assert claim(units, batch.job_ids) == []


def test_a_claimed_job_knows_the_retired_categories_of_its_taxonomy(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    with units() as unit:
        unit.sources.add_categories(source.id, ["Home >> Attic"])
        unit.commit()
    retire_category(units, source.taxonomy_id, "Home >> Attic")
    assert the_job(store, units, source).retired == {"Home >> Attic"}


def test_a_result_ends_the_job_and_is_written_whole(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    job = the_job(store, units, source)
    assert store.relay_was_woken()
    assert finish(units, decided(job)) == 1
    assert store.relay_was_woken(), "there is room for more"
    assert store.job(job.job_id)[:4] == ("done", 1, 0, None)
    assert store.decisions() == [DecisionSeen(job.revision_id, job.model_id, "Home", provisional=False)]
    assert store.predicted() == [(job.revision_id, job.model_id, "text")]
    assert store.images() == [("uploads/a", "stored", "images/1")]
    assert store.listing("a") == ("assigned", "Home")
    assert store.attempts() == [(1, "done", None)]


@pytest.mark.parametrize("case", ["ended", "an older attempt", "a later attempt", "withdrawn", "a newer revision"])
def test_only_the_claim_that_holds_may_write(
    store: ContractStore, units: UnitsOfWork, source: Source, case: str
) -> None:
    job = the_job(store, units, source)
    result = decided(job)
    if case == "ended":
        finish(units, decided(job, replace(HOME, category="Attic")))
    elif case == "an older attempt":
        store.pass_time(LEASE + 1)
        sweep(units)
        claim_all(units)
    elif case == "a later attempt":
        store.pass_time(LEASE + 1)
        sweep(units)
        result = decided(replace(claim_all(units)[0], attempt=1))
    elif case == "withdrawn":
        withdraw(units, job.listing_id)
    else:
        with units() as unit:
            unit.outbox.supersede([job.listing_id], "a newer revision")
            unit.commit()
    before = store.job(job.job_id), store.decisions(), store.listing("a")
    assert finish(units, result) == 0
    assert (store.job(job.job_id), store.decisions(), store.listing("a")) == before
    assert store.attempts()[0][1] == "fenced"


def test_a_fenced_result_does_not_take_its_batch_along(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    store.activate_model(source.taxonomy_id)
    post(units, source, "a", "b")
    first, second = claim_all(units)
    withdraw(units, first.listing_id)
    assert finish(units, decided(first), decided(second)) == 1
    assert [decision.revision_id for decision in store.decisions()] == [second.revision_id]


def test_a_failure_is_counted_and_tried_again_after_its_delay_up_to_the_limit(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    job = the_job(store, units, source)
    for failures in (1, 2):
        assert finish(units, decided(job, None, FAILURE)) == 1
        assert store.job(job.job_id)[:4] == ("waiting", failures, failures, "the storage does not answer")
        store.pass_time(4.4)
        assert take(units) == [], "its delay of five seconds, or ten per cent less, has not passed"
        job = again(store, units, 0.6)
        assert job.failures == failures
    assert store.dead_letters() == []
    assert finish(units, decided(job, None, FAILURE)) == 1
    assert store.job(job.job_id).state == "dead"
    ((_, job_id, reason, _),) = store.dead_letters()
    assert (job_id, reason) == (job.job_id, "3 attempts failed; the last: the storage does not answer")
    assert [outcome for _, outcome, _ in store.attempts()] == ["retry"] * 3


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (RetryCause.HOST_BUSY, "not now"),
        (RetryCause.UNREADABLE_MODEL, "held, since the active model cannot be read: not now"),
    ],
)
def test_what_is_no_failure_of_the_job_is_tried_again_without_end_and_noted_once(
    store: ContractStore, units: UnitsOfWork, source: Source, cause: RetryCause, expected: str
) -> None:
    job = the_job(store, units, source)
    for attempt in range(1, RETRY.attempt_limit + 2):
        assert finish(units, decided(job, None, Retry(cause, 60.0, Reason.other("not now")))) == 1
        assert store.job(job.job_id)[:4] == ("waiting", attempt, 0, expected)
        assert store.attempts() == [(attempt, "requeued", "not now")]
        job = again(store, units, 60.0)
    assert store.dead_letters() == []


def test_attempts_that_ended_otherwise_stay_in_the_history(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    job = the_job(store, units, source)
    failed = Retry(RetryCause.FAILURE, 1.0, Reason.other("busy"))
    busy, busier = (Retry(RetryCause.HOST_BUSY, 1.0, Reason.other(error)) for error in ("busy", "busier"))
    for retry in (busy, failed, busy, busier, busy):
        assert finish(units, decided(job, None, retry)) == 1
        job = again(store, units, 1.0)
    assert store.attempts()[:-1] == [
        (1, "requeued", "busy"),
        (2, "retry", "busy"),
        (3, "requeued", "busy"),
        (4, "requeued", "busier"),
        (5, "requeued", "busy"),
    ]


def test_a_provisional_decision_is_replaced_and_a_final_one_is_not(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    job = the_job(store, units, source)
    assert finish(units, decided(job, GARDEN, FAILURE)) == 1
    assert store.decisions() == [DecisionSeen(job.revision_id, job.model_id, "Garden", provisional=True)]
    assert store.listing("a") == ("assigned", "Garden")
    assert finish(units, decided(again(store, units))) == 1
    assert store.decisions() == [DecisionSeen(job.revision_id, job.model_id, "Home", provisional=False)]


def test_a_result_of_a_model_that_was_replaced_meanwhile_leaves_its_job_undecided(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    job = the_job(store, units, source)
    store.activate_model(source.taxonomy_id)
    assert finish(units, decided(job)) == 1
    assert store.decisions() == []
    assert store.predicted() == [(job.revision_id, job.model_id, "text")]
    assert store.job(job.job_id)[:4] == ("waiting", 1, 0, "another model was promoted meanwhile")
    assert store.attempts() == [(1, "requeued", None)]


def test_a_review_outranks_the_decision(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    job = the_job(store, units, source)
    with units() as unit:
        unit.listings.review(job.listing_id, "Kitchen", "Ada", "")
        unit.commit()
    assert finish(units, decided(job)) == 1
    assert store.listing("a")[1] == "Kitchen"
    assert [decision.category for decision in store.decisions()] == ["Home"]


def test_without_a_model_there_is_a_decision_without_predictions(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    post(units, source, "a")
    (job,) = claim_all(units)
    assert job.model is None
    abstained = Decision(DecisionStatus.ABSTAINED, None, None, Reason.other("no model yet"))
    assert finish(units, AttemptResult(job, abstained)) == 1
    assert store.decisions() == [DecisionSeen(job.revision_id, None, None, provisional=False)]
    assert store.predicted() == []


def test_a_renewed_lease_holds_up_to_the_hard_limit(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    job = the_job(store, units, source)

    def renew(claim: Claim) -> None:
        with units() as unit:
            unit.claims.renew([claim], LEASE, hard_limit=50.0)
            unit.commit()

    store.pass_time(LEASE - 1)
    renew(Claim(job.job_id, job.attempt + 1))
    renew(job.claim)
    store.pass_time(LEASE - 1)
    assert sweep(units) == SweepCounts()
    renew(job.claim)
    store.pass_time(50.0 - 2 * (LEASE - 1) + 1)
    assert sweep(units) == SweepCounts(died=1), "no lease goes beyond the hard limit"


def test_the_progress_of_a_long_job_is_written_while_its_claim_holds(store: ContractStore) -> None:
    job = claim_long_job(store, JobKind.TRAIN)
    with store.units() as unit:
        assert unit.claims.report_progress(job.claim, 0.25, "reading the labels")
        unit.commit()
    assert store.job(job.job_id)[:5] == ("leased", 1, 0, "reading the labels", 0.25)
    with store.units() as unit:
        assert unit.claims.report_progress(job.claim, 1.7, "reading the photos")
        assert not unit.claims.report_progress(Claim(job.job_id, 2), 0.5, "another attempt")
        unit.commit()
    assert store.job(job.job_id) == ("leased", 1, 0, "reading the photos", 1.0, "trainer/1")


def test_a_long_job_ends_once(store: ContractStore) -> None:
    job = claim_long_job(store, JobKind.PURGE)
    with store.units() as unit:
        assert unit.claims.end_long_job(job, LongJobResult(Reason.other("removed 3 files")), RETRY)
        assert not unit.claims.end_long_job(job, LongJobResult(Reason.other("removed 3 files")), RETRY)
        assert not unit.claims.postpone(job.claim, "later", 1.0)
        unit.commit()
    assert store.job(job.job_id)[:5] == ("done", 1, 0, "removed 3 files", 1.0)
    assert store.attempts() == [(1, "done", None)]


def test_a_postponed_long_job_waits_without_a_failure(store: ContractStore) -> None:
    job = claim_long_job(store, JobKind.TRAIN)
    with store.units() as unit:
        assert unit.claims.postpone(job.claim, "the source is busy", 60.0)
        unit.commit()
    assert store.job(job.job_id)[:4] == ("waiting", 1, 0, "the source is busy")
    assert take(store.units, Queue.TRAINING) == []
    store.pass_time(14)
    assert take(store.units, Queue.TRAINING) == []
    assert store.attempts() == [(1, "requeued", None)]


def test_postponing_leaves_earlier_attempts_as_they_ended(store: ContractStore) -> None:
    job = claim_long_job(store, JobKind.TRAIN)
    with store.units() as unit:
        unit.claims.end_long_job(job, LongJobResult(Reason.other("it failed"), "Traceback"), RETRY)
        unit.commit()
    store.pass_time(1.0)
    take(store.units, Queue.TRAINING)
    with store.units() as unit:
        again = unit.claims.claim_long_job(job.job_id, "trainer/1", LEASE)
        assert again is not None
        assert unit.claims.postpone(again.claim, "the source is busy", 60.0)
        unit.commit()
    assert store.attempts() == [(1, "failed", "Traceback"), (2, "requeued", None)]


@pytest.mark.parametrize("permanent", [True, False])
def test_a_failed_long_job_is_tried_again_unless_that_is_useless(store: ContractStore, *, permanent: bool) -> None:
    job = claim_long_job(store, JobKind.TRAIN)
    with store.units() as unit:
        assert unit.claims.end_long_job(
            job, LongJobResult(Reason.other("no labels"), "Traceback", permanent=permanent), RETRY
        )
        unit.commit()
    assert store.job(job.job_id)[:4] == ("dead" if permanent else "waiting", 1, 1, "no labels")
    assert [reason for _, _, reason, _ in store.dead_letters()] == (["no labels"] if permanent else [])
    assert store.attempts() == [(1, "failed", "Traceback")]
    assert take(store.units, Queue.TRAINING) == []


def test_a_long_job_is_claimed_once(store: ContractStore) -> None:
    job = claim_long_job(store, JobKind.TRAIN)
    with store.units() as unit:
        assert unit.claims.claim_long_job(job.job_id, "another", LEASE) is None


def test_a_long_job_that_another_worker_has_claimed_meanwhile_is_left_to_it(store: ContractStore) -> None:
    late = claim_long_job(store, JobKind.TRAIN)
    store.pass_time(LEASE + 1)
    sweep(store.units)
    announce(store.units, Queue.TRAINING)
    take(store.units, Queue.TRAINING)
    with store.units() as unit:
        assert unit.claims.claim_long_job(late.job_id, "trainer/2", LEASE) is not None
        unit.commit()
    before = store.job(late.job_id)
    with store.units() as unit:
        assert not unit.claims.report_progress(late.claim, 0.5, "too late")
        assert not unit.claims.postpone(late.claim, "too late", 1.0)
        assert not unit.claims.end_long_job(late, LongJobResult(Reason.other("too late")), RETRY)
        unit.commit()
    assert store.job(late.job_id) == before
    assert [outcome for _, outcome, _ in store.attempts()] == ["died", None]


def test_writing_no_results_writes_nothing(units: UnitsOfWork) -> None:
    assert finish(units) == 0


def test_the_photos_of_a_claimed_job_come_in_their_order(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    store.activate_model(source.taxonomy_id)
    images = ("uploads/b", "uploads/a", "uploads/c")
    accept(units, source.id, [Submission("a", Content("Mug", images=images))], Priority.PIPELINE)
    (job,) = claim_all(units)
    assert tuple(image.reference for image in job.images) == images


def test_a_long_job_that_succeeds_after_failures_up_to_the_limit_is_done(store: ContractStore) -> None:
    job = claim_long_job(store, JobKind.TRAIN)
    for attempt in range(RETRY.attempt_limit):
        failed = attempt < RETRY.attempt_limit - 1
        result = (
            LongJobResult(Reason.other("it failed"), "Traceback") if failed else LongJobResult(Reason.other("trained"))
        )
        with store.units() as unit:
            unit.claims.end_long_job(job, result, RETRY)
            unit.commit()
        if failed:
            store.pass_time(600.0)
            announce(store.units, Queue.TRAINING)
            take(store.units, Queue.TRAINING)
            with store.units() as unit:
                claimed = unit.claims.claim_long_job(job.job_id, "trainer/1", LEASE)
                unit.commit()
            assert claimed is not None
            job = claimed
    assert store.job(job.job_id)[0] == "done"
    assert store.dead_letters() == []
