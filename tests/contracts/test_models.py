"""What promotion promises: one version decides, listings are decided anew once, reviews and known decisions stay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.claimed_job import AttemptResult, ClaimedJob
from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.errors import Conflict, InvalidCategory, NotFound
from pipeline.domain.job import JobState, Priority, Retry, RetryCause
from pipeline.domain.reason import Reason
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.intake import withdraw
from pipeline.steps.models import SavedVersion, promote, roll_back, save_version
from pipeline.steps.review_listing import review
from tests.contracts.contract_store import ContractStore
from tests.contracts.queues import claim_all, finish, post
from tests.contracts.records import Records

MANIFEST = {"artefacts": "artefacts", "files": {}}
HOME = Decision(DecisionStatus.ASSIGNED, "Home", 0.9, Reason.other("sure"))
GARDEN = replace(HOME, category="Garden")


def save(units: UnitsOfWork, source: Source, *, promote: bool = False) -> SavedVersion:
    return save_version(units, source.taxonomy_id, MANIFEST, promote=promote)


def decide_all(units: UnitsOfWork, decision: Decision) -> list[ClaimedJob]:
    """Give every listing that waits this decision of the active version."""
    jobs = claim_all(units)
    finish(units, *(AttemptResult(job, decision) for job in jobs))
    return jobs


def open_jobs(store: ContractStore) -> list[tuple[str, str]]:
    return [(job.external_id, job.priority) for job in store.jobs() if job.state == JobState.WAITING]


def test_the_first_version_is_promoted_and_later_ones_are_candidates(
    units: UnitsOfWork, records: Records, source: Source
) -> None:
    first, second, third = save(units, source), save(units, source), save(units, source, promote=True)
    assert [(one.number, one.requeued) for one in (first, second, third)] == [(1, 0), (2, None), (3, 0)]
    assert records.models(source.taxonomy_id) == [
        (first.model_id, 1, "retired"),
        (second.model_id, 2, "candidate"),
        (third.model_id, 3, "active"),
    ]
    with units() as unit:
        assert unit.models.active(source.taxonomy_id) == third.model_id
    with pytest.raises(NotFound):
        save_version(units, source.taxonomy_id + 1_000_000, MANIFEST, promote=False)


def test_versions_of_other_taxonomies_are_left_alone(
    store: ContractStore, units: UnitsOfWork, records: Records, source: Source
) -> None:
    other = store.add_source("market")
    first, theirs = save(units, source), save(units, other)
    assert theirs.number == 1
    post(units, other, "a")
    decide_all(units, HOME)
    assert promote(units, save(units, source).model_id) == 0
    assert records.models(other.taxonomy_id) == [(theirs.model_id, 1, "active")]
    assert records.models(source.taxonomy_id)[0] == (first.model_id, 1, "retired")
    assert open_jobs(store) == []


def test_a_promoted_version_decides_all_listings_anew(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    save(units, source)
    post(units, source, "decided", "withdrawn")
    decide_all(units, HOME)
    post(units, source, "abstained")
    decide_all(units, Decision(DecisionStatus.ABSTAINED, None, None, Reason.other("unsure")))
    post(units, source, "waiting")
    with units() as unit:
        withdrawn = unit.listings.current(source.id, ["withdrawn"])["withdrawn"].listing_id
    withdraw(units, withdrawn)
    store.relay_was_woken()
    assert promote(units, save(units, source).model_id) == 2
    assert store.relay_was_woken()
    assert open_jobs(store) == [
        ("waiting", Priority.PIPELINE),
        ("decided", Priority.BACKFILL),
        ("abstained", Priority.IMPORT),
    ]
    assert store.listing("decided") == ("assigned", "Home"), "shown until the new version has decided"


def test_a_version_decides_a_revision_once(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    first = save(units, source)
    post(units, source, "a", "b")
    decide_all(units, HOME)
    second = save(units, source, promote=True)
    assert second.requeued == 2
    job, other = claim_all(units)
    finish(units, AttemptResult(job, GARDEN), AttemptResult(other, replace(GARDEN, provisional=True)))
    assert (store.listing("a"), store.listing("b")) == (("assigned", "Garden"), ("assigned", "Garden"))
    assert promote(units, first.model_id) == 0
    assert (store.listing("a"), store.listing("b")) == (("assigned", "Home"), ("assigned", "Home"))
    assert promote(units, second.model_id) == 1, "a provisional decision is made again"
    assert (store.listing("a"), store.listing("b")) == (("assigned", "Garden"), ("assigned", "Home"))
    assert promote(units, second.model_id) == 0, "its listings wait already"


def test_a_review_outranks_every_version(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    first = save(units, source)
    post(units, source, "a")
    (job,) = decide_all(units, HOME)
    review(units, job.listing_id, " Attic  >> Boxes", "Ada", "seen")
    assert store.listing("a")[1] == "Attic >> Boxes"
    save(units, source, promote=True)
    decide_all(units, GARDEN)
    assert store.listing("a")[1] == "Attic >> Boxes"
    promote(units, first.model_id)
    assert store.listing("a")[1] == "Attic >> Boxes"
    with pytest.raises(InvalidCategory):
        review(units, job.listing_id, " >> ", "Ada")
    with pytest.raises(NotFound):
        review(units, job.listing_id + 1_000_000, "Home", "Ada")


def test_jobs_that_could_not_read_the_former_version_need_not_wait_any_longer(
    units: UnitsOfWork, source: Source
) -> None:
    save(units, source)
    post(units, source, "held", "failed")
    held, failed = claim_all(units)
    unreadable = Retry(RetryCause.UNREADABLE_MODEL, 300.0, Reason.other("another version of the program wrote it"))
    failure = Retry(RetryCause.FAILURE, 300.0, Reason.other("it failed"))
    finish(units, AttemptResult(held, None, retry=unreadable), AttemptResult(failed, None, retry=failure))
    assert claim_all(units) == []
    assert promote(units, save(units, source).model_id) == 1
    assert [job.job_id for job in claim_all(units)] == [held.job_id]


def test_rolling_back_swaps_the_last_two_versions(units: UnitsOfWork, records: Records, source: Source) -> None:
    first = save(units, source)
    with pytest.raises(Conflict, match="no earlier"):
        roll_back(units, source.taxonomy_id)
    save(units, source)
    third = save(units, source, promote=True)
    assert roll_back(units, source.taxonomy_id) == first.model_id
    assert roll_back(units, source.taxonomy_id) == third.model_id
    assert [status for *_, status in records.models(source.taxonomy_id)] == ["retired", "candidate", "active"]
    with pytest.raises(NotFound):
        roll_back(units, source.taxonomy_id + 1_000_000)
    with pytest.raises(NotFound):
        promote(units, third.model_id + 1_000_000)
