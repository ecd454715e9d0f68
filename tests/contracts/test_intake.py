"""What intake may expect of listings, outbox and idempotency keys."""

from __future__ import annotations

import pytest

from pipeline.domain.errors import IdempotencyKeyReused, NotFound
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.product_source import Provenance
from pipeline.domain.source import Source
from pipeline.ports.repositories import IdempotencyKey
from pipeline.ports.unit_of_work import UnitsOfWork
from tests.contracts.contract_store import ContractStore, JobSeen


def submission(external_id: str, name: str = "Curtain", *images: str) -> Submission:
    return Submission(external_id, Content(name, images=images))


def add(units: UnitsOfWork, source: Source, *submissions: Submission) -> list[int]:
    """Give each listing a revision, with a job; returns the revisions' ids."""
    with units() as unit:
        current = unit.listings.lock(source.id, [s.external_id for s in submissions])
        changes = [(current[s.external_id], s) for s in submissions]
        added = unit.listings.add_revisions(source.id, changes)
        unit.outbox.add([before.listing_id for before, _ in changes], added, Priority.IMPORT)
        unit.commit()
    return added


def test_a_locked_listing_exists_without_content(units: UnitsOfWork, source: Source) -> None:
    with units() as unit:
        assert unit.listings.current(source.id, ["a", "b"]) == {}
        locked = unit.listings.lock(source.id, ["b", "a", "b"])
        assert set(locked) == {"a", "b"}
        for current in locked.values():
            assert (current.revision_id, current.number, current.fingerprint) == (None, 0, None)
            assert not current.withdrawn
        assert unit.listings.lock(source.id, ["a"]) == {"a": locked["a"]}


def test_without_commit_nothing_is_kept(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    with units() as unit:
        unit.listings.lock(source.id, ["a"])
    with units() as unit:
        assert unit.listings.current(source.id, ["a"]) == {}
    assert store.jobs() == []


def test_revisions_are_numbered_and_the_last_is_current(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    add(units, source, submission("a"), submission("b"))
    (second,) = add(units, source, submission("a", "Drape", "https://x.example/1", "uploads/1/2"))
    with units() as unit:
        current = unit.listings.current(source.id, ["a"])["a"]
    assert (current.revision_id, current.number) == (second, 2)
    assert current.fingerprint == submission("a", "Drape", "https://x.example/1", "uploads/1/2").content.fingerprint()
    assert store.contents() == [
        ("a", 1, "Curtain", ()),
        ("a", 2, "Drape", ("https://x.example/1", "uploads/1/2")),
        ("b", 1, "Curtain", ()),
    ]


def test_external_ids_belong_to_their_source(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    add(units, source, submission("a"))
    other = store.add_source("another shop")
    with units() as unit:
        assert unit.listings.current(other.id, ["a"]) == {}


def test_a_withdrawn_listing_is_current_again_with_its_next_revision(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    add(units, source, submission("a"))
    with units() as unit:
        listing_id = unit.listings.current(source.id, ["a"])["a"].listing_id
        assert unit.listings.withdraw(listing_id)
        assert not unit.listings.withdraw(listing_id)
        assert unit.listings.current(source.id, ["a"])["a"].withdrawn
        unit.commit()
    assert store.withdrawn() == ["a"]
    add(units, source, submission("a"))
    assert store.withdrawn() == []


def test_a_listing_that_does_not_exist_cannot_be_withdrawn(units: UnitsOfWork) -> None:
    with units() as unit, pytest.raises(NotFound):
        unit.listings.withdraw(99)


def test_open_jobs_of_a_listing_are_superseded(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    add(units, source, submission("a"), submission("b"))
    with units() as unit:
        listing_id = unit.listings.current(source.id, ["a"])["a"].listing_id
        assert unit.outbox.supersede([listing_id], "no more") == 1
        assert unit.outbox.supersede([listing_id], "again") == 0
        unit.commit()
    assert store.jobs() == [
        JobSeen("a", 1, "import", "superseded", "no more"),
        JobSeen("b", 1, "import", "waiting", None),
    ]


def test_a_provenance_is_written_when_it_is_new_or_different(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    add(units, source, submission("a"))
    with units() as unit:
        listing_id = unit.listings.current(source.id, ["a"])["a"].listing_id
        here = Provenance("openfoodfacts", "https://world.example/1", ("en:wines",))
        assert unit.provenances.save({listing_id: here}) == 1
        assert unit.provenances.save({listing_id: here}) == 0
        assert unit.provenances.save({listing_id: Provenance("openfoodfacts", "https://world.example/2")}) == 1
        unit.commit()
    assert store.provenances() == [("a", "openfoodfacts", "https://world.example/2")]


def test_an_idempotency_key_has_one_answer_and_one_body(units: UnitsOfWork, key_id: int) -> None:
    key = IdempotencyKey(key_id, "k", "hash of the body")
    with units() as unit:
        assert unit.idempotency.claim(key) is None
        unit.idempotency.keep(key, {"answer": [1, 2]})
    with units() as unit:
        assert unit.idempotency.claim(key) is None, "the first unit was not committed"
        unit.idempotency.keep(key, {"answer": [3]})
        unit.commit()
    with units() as unit:
        assert unit.idempotency.claim(key) == {"answer": [3]}
        with pytest.raises(IdempotencyKeyReused, match="another body"):
            unit.idempotency.claim(IdempotencyKey(key_id, "k", "hash of another body"))
