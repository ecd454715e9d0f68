"""The one rule of new, changed, unchanged and rejected."""

from __future__ import annotations

import pytest

from pipeline.domain.listing import Content
from pipeline.domain.verdict import CurrentRevision, FirstRows, Verdict, hash_external_id, judge

CONTENT = Content("Curtain", attributes={"colour": "red"}, images=("a.jpg",))


def current(content: Content | None, *, withdrawn: bool = False) -> CurrentRevision:
    if content is None:
        return CurrentRevision(1, None, 0, None, withdrawn)
    return CurrentRevision(1, 2, 1, content.fingerprint(), withdrawn)


@pytest.mark.parametrize(
    ("before", "content", "verdict"),
    [
        (None, CONTENT, Verdict.NEW),
        (current(None), CONTENT, Verdict.NEW),
        (current(CONTENT), CONTENT, Verdict.UNCHANGED),
        (current(CONTENT), Content("Curtain", attributes={"colour": "red"}, images=("b.jpg",)), Verdict.CHANGED),
        (current(CONTENT), Content("Curtain", "", {"colour": "red"}, ("a.jpg",), "Home"), Verdict.CHANGED),
        (current(CONTENT, withdrawn=True), CONTENT, Verdict.CHANGED),
        (current(Content("Drape"), withdrawn=True), CONTENT, Verdict.CHANGED),
        (None, None, Verdict.REJECTED),
        (current(CONTENT), None, Verdict.REJECTED),
    ],
)
def test_content_is_judged_by_the_current_revision(
    before: CurrentRevision | None, content: Content | None, verdict: Verdict
) -> None:
    assert judge(before, content) is verdict


def test_the_order_of_attributes_changes_nothing() -> None:
    ordered = Content("a", attributes={"x": "1", "y": "2"})
    assert judge(current(ordered), Content("a", attributes={"y": "2", "x": "1"})) is Verdict.UNCHANGED


def test_the_first_row_of_an_id_is_remembered() -> None:
    first_rows = FirstRows([("a", 3)])
    assert [first_rows.add(*row) for row in (("a", 7), ("b", 8), ("b", 9), ("c", 10))] == [3, 8, 8, 10]


def test_an_id_is_kept_in_memory_as_eight_bytes_however_long_it_is() -> None:
    assert len(hash_external_id("a")) == len(hash_external_id("a" * 200)) == 8
