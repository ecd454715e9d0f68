"""Texts that nobody can see are none."""

from __future__ import annotations

import pytest

from api.schemas.listings import cleaned
from infra.catalogues.values import text_of

READERS = [cleaned, text_of]


@pytest.mark.parametrize("text", ["\u200b", "\u202e \u200f", "\ufeff\u2060", "\x01\x1b", "\u00a0", "\u00ad"])
@pytest.mark.parametrize("read", READERS)
def test_what_does_not_show_is_empty(read, text) -> None:
    assert read(text) == ""


@pytest.mark.parametrize("text", ["a\u200bb", "\u202eevil", "مزهرية", "👩\u200d🍳", "0", "-"])
@pytest.mark.parametrize("read", READERS)
def test_what_shows_stays_as_it_is(read, text) -> None:
    assert read(text) == text
