"""Fingerprints tell contents apart; evidence says whether there is any text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.domain.listing import Content, Evidence

CONTENT = Content("Curtain", "red", {"size": "L", "colour": "red"}, ("a.jpg", "b.jpg"), "Home")


def test_the_order_of_attributes_does_not_matter() -> None:
    assert replace(CONTENT, attributes={"colour": "red", "size": "L"}).fingerprint() == CONTENT.fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Curtain "},
        {"description": ""},
        {"attributes": {"size": "L"}},
        {"images": ("b.jpg", "a.jpg")},
        {"seller_category": None},
        {"name": "", "description": "Curtainred"},
    ],
)
def test_any_other_content_has_another_fingerprint(change: dict[str, Any]) -> None:
    assert replace(CONTENT, **change).fingerprint() != CONTENT.fingerprint()


def test_a_fingerprint_takes_any_text() -> None:
    """Half a surrogate pair, as broken exports contain, has no UTF-8; it must not stop an import."""
    assert len(Content("\ud83d 🪟 ستارة").fingerprint()) == 64


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence(""), False),
        (Evidence(" \n", "\t", {"colour": " "}), False),
        (Evidence("", "red"), True),
        (Evidence("", "", {"colour": "red"}), True),
    ],
)
def test_white_space_is_no_text(evidence: Evidence, *, expected: bool) -> None:
    assert evidence.has_text is expected
