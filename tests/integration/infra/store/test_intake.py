"""Intake on the real record: what a submission becomes, alone, again, and at the same time as others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, text

from pipeline.domain.errors import NotFound
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.source import Source
from pipeline.domain.verdict import Receipt, Verdict
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps import intake, review_listing
from tests.integration.records import add_source

THREADS = 8


def submission(external_id: str, name: str = "Curtain", **content: Any) -> Submission:
    return Submission(external_id, Content(name, **content))


def accept(units: UnitsOfWork, source: Source, *submissions: Submission) -> list[Receipt]:
    return intake.accept(units, source.id, submissions, Priority.PIPELINE)


def rows(engine: Engine, query: str) -> Sequence[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_a_new_listing_has_a_revision_its_images_and_a_waiting_job(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    content: dict[str, Any] = {"attributes": {"colour": "red"}, "images": ("uploads/1/a.jpg", "https://shop.example/b")}
    (receipt,) = accept(units, source, submission("a", **content))
    assert (receipt.external_id, receipt.number, receipt.verdict) == ("a", 1, Verdict.NEW)
    assert rows(engine, "SELECT id, current_revision_id, status::text FROM listings") == [
        (receipt.listing_id, receipt.revision_id, "pending")
    ]
    assert rows(engine, "SELECT name, attributes FROM revisions") == [("Curtain", {"colour": "red"})]
    assert rows(engine, "SELECT position, reference, status::text FROM images ORDER BY position") == [
        (0, "uploads/1/a.jpg", "pending"),
        (1, "https://shop.example/b", "pending"),
    ]
    assert rows(engine, "SELECT revision_id, state::text, priority::text, queue::text FROM jobs") == [
        (receipt.revision_id, "waiting", "pipeline", "categorise")
    ]


def test_the_same_content_again_adds_nothing(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    (first,) = accept(units, source, submission("a", attributes={"x": "1", "y": "2"}))
    (again,) = accept(units, source, submission("a", attributes={"y": "2", "x": "1"}))
    assert again.verdict is Verdict.UNCHANGED
    assert (again.listing_id, again.revision_id, again.number) == (first.listing_id, first.revision_id, 1)
    assert rows(engine, "SELECT count(*) FROM revisions UNION ALL SELECT count(*) FROM jobs") == [(1,), (1,)]


def test_changed_content_is_a_new_revision_and_supersedes_the_older_job(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    accept(units, source, submission("a", "Curtain"))
    (changed,) = accept(units, source, submission("a", "Curtain, red"))
    assert (changed.number, changed.verdict) == (2, Verdict.CHANGED)
    assert rows(engine, "SELECT state::text, note FROM jobs ORDER BY id") == [
        ("superseded", "a newer revision"),
        ("waiting", None),
    ]


def test_only_the_current_revision_is_compared(units: UnitsOfWork, source: Source) -> None:
    for name in ("Curtain", "Drape"):
        accept(units, source, submission("a", name))
    (back,) = accept(units, source, submission("a", "Curtain"))
    assert (back.number, back.verdict) == (3, Verdict.CHANGED)


def test_a_withdrawn_listing_comes_back_with_the_same_content(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    (first,) = accept(units, source, submission("a"))
    assert intake.withdraw(units, first.listing_id)
    assert not intake.withdraw(units, first.listing_id)
    assert rows(engine, "SELECT state::text FROM jobs") == [("superseded",)]
    (back,) = accept(units, source, submission("a"))
    assert (back.listing_id, back.number, back.verdict) == (first.listing_id, 2, Verdict.CHANGED)
    assert rows(engine, "SELECT status::text, withdrawn_at FROM listings") == [("pending", None)]
    assert rows(engine, "SELECT state::text FROM jobs ORDER BY id") == [("superseded",), ("waiting",)]


def test_what_does_not_exist_cannot_be_withdrawn(units: UnitsOfWork) -> None:
    with pytest.raises(NotFound):
        intake.withdraw(units, 99)


def test_a_batch_that_names_a_listing_twice_takes_both_in_order(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    receipts = accept(
        units, source, submission("a", "first"), submission("b"), submission("a", "second"), submission("a", "second")
    )
    assert [(r.external_id, r.number, r.verdict) for r in receipts] == [
        ("a", 1, Verdict.NEW),
        ("b", 1, Verdict.NEW),
        ("a", 2, Verdict.CHANGED),
        ("a", 2, Verdict.UNCHANGED),
    ]
    assert rows(engine, "SELECT count(*) FROM jobs WHERE state = 'waiting'") == [(2,)]


def test_an_external_id_belongs_to_its_source(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    other = add_source(engine, "another shop")
    (here,) = accept(units, source, submission("a"))
    (there,) = accept(units, other, submission("a"))
    assert there.verdict is Verdict.NEW
    assert there.listing_id != here.listing_id


def test_a_batch_with_one_impossible_listing_is_not_accepted_in_part(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    """Postgres's texts hold no NUL: whoever lets one through gets an error, and nothing is half-written."""
    with pytest.raises(ValueError, match="NUL"):
        accept(units, source, submission("a"), submission("b", description="torn\x00here"))
    assert rows(engine, "SELECT count(*) FROM listings") == [(0,)]


@pytest.mark.parametrize(
    "name", ["ستارة 🪟 حمراء", "\u202eneddih", "x" * 100_000, "'; DROP TABLE listings; --", "%(a)s :b"]
)
def test_any_text_comes_back_as_it_was_given(engine: Engine, units: UnitsOfWork, source: Source, name: str) -> None:
    accept(units, source, submission(f"id {name[:50]}", name, description=name, attributes={name[:50]: name}))
    assert rows(engine, "SELECT name, description, attributes FROM revisions") == [(name, name, {name[:50]: name})]


def test_concurrent_posts_of_the_same_listings_make_one_revision_each(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    """Each thread posts the same listings in another order: no deadlock, one winner, everybody else unchanged."""
    batch = [submission(f"listing {i}") for i in range(20)]
    gate = Barrier(THREADS)

    def post(turn: int) -> list[Receipt]:
        shifted = batch[turn * 2 :] + batch[: turn * 2]
        gate.wait()
        return accept(units, source, *(reversed(shifted) if turn % 2 else shifted))

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(post, range(THREADS)))
    verdicts = [receipt.verdict for answer in answers for receipt in answer]
    assert verdicts.count(Verdict.NEW) == len(batch)
    assert verdicts.count(Verdict.UNCHANGED) == len(batch) * (THREADS - 1)
    assert len({receipt.revision_id for answer in answers for receipt in answer}) == len(batch)
    assert rows(engine, "SELECT count(*), max(number) FROM revisions") == [(len(batch), 1)]
    assert rows(engine, "SELECT count(*) FROM jobs") == [(len(batch),)]


def test_concurrent_changes_are_numbered_without_gaps_and_leave_one_open_job(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    gate = Barrier(THREADS)

    def post(turn: int) -> Receipt:
        gate.wait()
        return accept(units, source, submission("a", f"content {turn}"))[0]

    with ThreadPoolExecutor(THREADS) as pool:
        receipts = list(pool.map(post, range(THREADS)))
    assert sorted(r.number for r in receipts) == list(range(1, THREADS + 1))
    assert rows(engine, "SELECT count(*) FROM jobs WHERE state = 'waiting'") == [(1,)]
    last = max(receipts, key=lambda r: r.number)
    assert rows(engine, "SELECT current_revision_id FROM listings") == [(last.revision_id,)]
    assert rows(engine, "SELECT revision_id FROM jobs WHERE state = 'waiting'") == [(last.revision_id,)]


def test_a_seller_category_and_its_ancestors_are_known_from_then_on(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    accept(units, source, submission("a", seller_category="Home >> Curtains"), submission("b", seller_category="Home"))
    assert rows(engine, "SELECT path, level FROM categories ORDER BY path") == [("Home", 1), ("Home >> Curtains", 2)]


def test_a_review_outranks_and_is_refused_for_withdrawn_listings(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    (receipt,) = accept(units, source, submission("a"))
    review_listing.review(units, receipt.listing_id, "Home > Curtains", "Ada")
    assert rows(engine, "SELECT status::text, category, reviewed FROM listings") == [
        ("assigned", "Home >> Curtains", True)
    ]
    assert rows(engine, "SELECT category, reviewer, revision_id FROM reviews") == [
        ("Home >> Curtains", "Ada", receipt.revision_id)
    ]
    intake.withdraw(units, receipt.listing_id)
    with pytest.raises(NotFound):
        review_listing.review(units, receipt.listing_id, "Home", "Ada")


def test_leaving_a_unit_without_commit_writes_nothing(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    with units() as unit:
        unit.listings.lock(source.id, ["a"])
    assert rows(engine, "SELECT count(*) FROM listings") == [(0,)]
