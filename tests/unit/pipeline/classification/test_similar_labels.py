"""Which category names are taken for one: typos, plurals and other word orders, not words that differ in a letter."""

from __future__ import annotations

import pytest

from pipeline.classification.similar_labels import SimilarLabels, find_similar_labels


def rare_ones(*names: str) -> list[str]:
    """The rarer names of the pairs found, where each name has fewer listings than the one before it."""
    categories = [name for count, name in enumerate(reversed(names), start=1) for _ in range(count)]
    return [pair.rare for pair in find_similar_labels(categories)]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Shirts", "Shrits"),
        ("Lamps", "Lapms"),
        ("Candles", "Candle"),
        ("Blue mugs", "Mugs blue"),
        ("Curtains", "Curtans"),
    ],
)
def test_a_typo_a_plural_or_another_word_order_is_probably_one_category(name: str, other: str) -> None:
    assert rare_ones(name, other) == [other]
    assert rare_ones(f"Home >> {name}", f"Home >> {other}") == [f"Home >> {other}"]
    assert rare_ones(f"Home >> {name}", f"Garden >> {other}") == [], "they have different parents"


@pytest.mark.parametrize(
    ("name", "other"), [("Shirts", "Skirts"), ("Boots", "Books"), ("Cap", "Cup"), ("Hats", "Lamps"), ("Dolls", "Lamps")]
)
def test_other_words_are_other_categories(name: str, other: str) -> None:
    assert rare_ones(name, other) == []


def test_a_typo_is_paired_with_its_own_word_among_similar_ones() -> None:
    categories = [*["Skirts"] * 5, *["Shirts"] * 4, "Shrits"]
    assert find_similar_labels(categories) == [SimilarLabels("Shrits", "Shirts", 1, 4)]
