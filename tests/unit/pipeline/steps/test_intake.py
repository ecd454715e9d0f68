"""Intake on the in-memory store: what a submission becomes, alone, again and several at a time."""

from __future__ import annotations

import pytest

from pipeline.domain.errors import IdempotencyKeyReused, NotFound
from pipeline.domain.job import JobState, Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.source import Source
from pipeline.domain.verdict import Receipt, Verdict
from pipeline.ports.repositories import IdempotencyKey
from pipeline.steps.intake import accept, withdraw
from tests.fakes.unit_of_work import MemoryStore

KEY = IdempotencyKey(1, "k", "hash of the body")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def source(store: MemoryStore) -> Source:
    return store.add_source("shop")


def submission(external_id: str, name: str = "Curtain") -> Submission:
    return Submission(external_id, Content(name))


def submit(store: MemoryStore, source: Source, *submissions: Submission) -> list[Receipt]:
    return accept(store.units, source.id, submissions, Priority.PIPELINE)


def job_states(store: MemoryStore) -> list[tuple[JobState, str | None]]:
    return [(job.state, job.note) for job in store.tables.jobs.values()]


def test_a_new_listing_gets_a_revision_and_a_waiting_job(store: MemoryStore, source: Source) -> None:
    (receipt,) = submit(store, source, submission("a"))
    assert (receipt.external_id, receipt.number, receipt.verdict) == ("a", 1, Verdict.NEW)
    assert store.tables.revisions[receipt.revision_id].content == Content("Curtain")
    (job,) = store.tables.jobs.values()
    assert (job.listing_id, job.revision_id) == (receipt.listing_id, receipt.revision_id)
    assert (job.state, job.priority) == (JobState.WAITING, Priority.PIPELINE)


def test_the_same_content_again_writes_nothing(store: MemoryStore, source: Source) -> None:
    (first,) = submit(store, source, submission("a"))
    (again,) = submit(store, source, submission("a"))
    assert again == Receipt("a", first.listing_id, first.revision_id, 1, Verdict.UNCHANGED)
    assert (len(store.tables.revisions), len(store.tables.jobs)) == (1, 1)
    assert store.tables.relay_notified == 1


def test_changed_content_is_a_new_revision_and_supersedes_the_open_job(store: MemoryStore, source: Source) -> None:
    submit(store, source, submission("a"))
    (changed,) = submit(store, source, submission("a", "Drape"))
    assert (changed.number, changed.verdict) == (2, Verdict.CHANGED)
    assert job_states(store) == [(JobState.SUPERSEDED, "a newer revision"), (JobState.WAITING, None)]


def test_content_of_an_earlier_revision_is_changed(store: MemoryStore, source: Source) -> None:
    for name in ("Curtain", "Drape"):
        submit(store, source, submission("a", name))
    (back,) = submit(store, source, submission("a", "Curtain"))
    assert (back.number, back.verdict) == (3, Verdict.CHANGED)


def test_several_submissions_of_one_listing_are_accepted_in_order(store: MemoryStore, source: Source) -> None:
    receipts = submit(
        store, source, submission("a"), submission("b"), submission("a", "Drape"), submission("a", "Drape")
    )
    assert [(one.external_id, one.number, one.verdict) for one in receipts] == [
        ("a", 1, Verdict.NEW),
        ("b", 1, Verdict.NEW),
        ("a", 2, Verdict.CHANGED),
        ("a", 2, Verdict.UNCHANGED),
    ]
    waiting = {job.revision_id for job in store.tables.jobs.values() if job.state is JobState.WAITING}
    assert waiting == {receipts[1].revision_id, receipts[2].revision_id}


def test_nothing_is_accepted_when_the_commit_fails(store: MemoryStore, source: Source) -> None:
    store.fail_next_commit()
    with pytest.raises(ConnectionError):
        submit(store, source, submission("a"))
    assert (store.tables.listings, store.tables.jobs) == ({}, {})


def test_a_withdrawn_listing_has_no_open_job_and_comes_back_with_the_same_content(
    store: MemoryStore, source: Source
) -> None:
    (first,) = submit(store, source, submission("a"))
    assert withdraw(store.units, first.listing_id)
    assert not withdraw(store.units, first.listing_id)
    assert job_states(store) == [(JobState.SUPERSEDED, "the listing was withdrawn")]
    assert store.tables.events == [("listing_withdrawn", first.listing_id)]
    (back,) = submit(store, source, submission("a"))
    assert (back.listing_id, back.number, back.verdict) == (first.listing_id, 2, Verdict.CHANGED)
    assert not store.tables.listings[first.listing_id].withdrawn


def test_a_listing_that_does_not_exist_cannot_be_withdrawn(store: MemoryStore) -> None:
    with pytest.raises(NotFound):
        withdraw(store.units, 99)


def test_a_repeated_key_gets_the_first_receipts(store: MemoryStore, source: Source) -> None:
    first = accept(store.units, source.id, [submission("a")], Priority.PIPELINE, KEY)
    submit(store, source, submission("a", "Drape"))
    again = accept(store.units, source.id, [submission("a")], Priority.PIPELINE, KEY)
    assert again == first
    assert again[0].verdict is Verdict.NEW
    assert len(store.tables.revisions) == 2


def test_a_key_with_another_body_is_refused_and_accepts_nothing(store: MemoryStore, source: Source) -> None:
    accept(store.units, source.id, [submission("a")], Priority.PIPELINE, KEY)
    other = IdempotencyKey(KEY.owner, KEY.key, "hash of another body")
    with pytest.raises(IdempotencyKeyReused):
        accept(store.units, source.id, [submission("b")], Priority.PIPELINE, other)
    assert [listing.external_id for listing in store.tables.listings.values()] == ["a"]


def test_keys_of_other_owners_are_other_keys(store: MemoryStore, source: Source) -> None:
    accept(store.units, source.id, [submission("a")], Priority.PIPELINE, KEY)
    other = IdempotencyKey(2, KEY.key, "hash of another body")
    (receipt,) = accept(store.units, source.id, [submission("b")], Priority.PIPELINE, other)
    assert receipt.verdict is Verdict.NEW
