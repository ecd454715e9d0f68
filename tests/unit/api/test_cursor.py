"""Cursors come back as they went, and nothing else gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pagination import decode_cursor, encode_cursor
from pipeline.domain.errors import InvalidInput

IDS = st.integers(0, 2**63 - 1)


@given(st.floats(0, 1), IDS)
def test_round_trip(confidence: float, listing_id: int) -> None:
    assert decode_cursor(encode_cursor([confidence, listing_id]), [float, int]) == [confidence, listing_id]


@given(st.text())
def test_any_text_is_an_id_or_refused(text: str) -> None:
    try:
        [listing_id] = decode_cursor(text, [int])
    except InvalidInput:
        return
    assert isinstance(listing_id, int)


@pytest.mark.parametrize("place", [[2**63], [-(2**64)], [float("nan")], [float("inf")], [True], [1, 1]])
def test_numbers_the_database_cannot_hold(place: list[float]) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(encode_cursor(place), [int])
    if len(place) == 1 and place != [True]:
        with pytest.raises(InvalidInput):
            decode_cursor(encode_cursor(place), [float])
