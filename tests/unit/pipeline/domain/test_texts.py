"""Texts that nobody can see are none."""

from __future__ import annotations

import pytest

from api.listings.schemas import cleaned
from infra.catalogue_files.values import text_of
from pipeline.domain.text import listed

READERS = [cleaned, text_of]


@pytest.mark.parametrize("text", ["\u200b", "\u202e \u200f", "\ufeff\u2060", "\x01\x1b", "\u00a0", "\u00ad"])
@pytest.mark.parametrize("read", READERS)
def test_what_does_not_show_is_empty(read, text) -> None:
    assert read(text) == ""


@pytest.mark.parametrize("text", ["a\u200bb", "\u202eevil", "مزهرية", "👩\u200d🍳", "0", "-"])
@pytest.mark.parametrize("read", READERS)
def test_what_shows_stays_as_it_is(read, text) -> None:
    assert read(text) == text


def test_names_in_a_sentence_are_as_many_as_it_bears() -> None:
    assert listed([]) == ""
    assert listed(["a", "b"]) == "a, b"
    assert listed([f"shop {n}" for n in range(50)], 2) == "shop 0, shop 1 and 48 more"
