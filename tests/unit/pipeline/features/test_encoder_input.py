"""The text of a listing that sentence encoders read."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.domain.listing import Evidence
from pipeline.features.encoder_input import MAX_NAME_LENGTH, MAX_WORDS, encodable_texts, short_text, unit_rows


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence("  Blue\tcotton \n curtain ", "Key Features of Blue cotton curtain"), "Blue cotton curtain"),
        (Evidence("Rideau d&#39;été &amp; voilage"), "Rideau d'été & voilage"),
        (Evidence("a\0b"), "a b"),
        (Evidence("", "Free shipping. A steel watch of 213 cm"), "steel watch"),
        (Evidence(" ", "", {"Strap": "Steel"}), ""),
        (Evidence("half \ud83d a pair"), "half ? a pair"),
    ],
)
def test_the_name_is_read_and_the_description_where_there_is_none(evidence: Evidence, expected: str) -> None:
    assert short_text(evidence) == expected


def test_long_texts_are_cut() -> None:
    assert len(short_text(Evidence("word " * 30_000))) <= MAX_NAME_LENGTH
    assert len(short_text(Evidence("", "curtain " * 30_000)).split()) == MAX_WORDS


def test_listings_without_text_are_not_read() -> None:
    assert encodable_texts([Evidence(""), Evidence("mug"), Evidence(" "), Evidence("", "lamp")]) == (
        ["mug", "lamp"],
        [1, 3],
    )


def test_rows_become_unit_rows_and_zeros_stay() -> None:
    rows = unit_rows(np.array([[3, 4], [0, 0]], dtype=np.float32))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, np.array([[0.6, 0.8], [0, 0]]), rtol=1e-6)
