from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pipeline.classification.grouped_folds import assign_folds, group_listings
from pipeline.domain.listing import Evidence, Example


def example(key: int, name: str = "", photo: bytes | None = None, category: str = "A") -> Example:
    return Example(str(key), Evidence(name, photo=photo), category)


def test_equal_photos_and_equal_texts_share_a_group_also_in_chains() -> None:
    examples = [
        example(0, "one", b"p"),
        example(1, "two", b"p"),
        example(2, " Two ", b"q"),
        example(3, "three", b"r"),
        *(example(n, f"more {n}") for n in range(4, 20)),
    ]
    found = group_listings(examples, ["A"] * 20, 5)
    assert len({*found[:3]}) == 1
    assert len(set(found)) == 18


def test_listings_without_text_or_photo_have_groups_of_their_own() -> None:
    assert len(set(group_listings([example(n) for n in range(5)], ["A"] * 5, 5))) == 5


def test_the_text_of_a_whole_category_does_not_group() -> None:
    examples = [example(n, "Golden apple") for n in range(20)]
    assert len(set(group_listings(examples, ["A"] * 20, 5))) == 20


def test_a_placeholder_photo_does_not_group_but_that_of_one_product_does() -> None:
    kinds = ["A", "B", "C"] * 7
    placeholder = [example(n, f"name {n}", b"no photo yet", kind) for n, kind in enumerate(kinds)]
    assert len(set(group_listings(placeholder, kinds, 5))) == 21
    few = group_listings(placeholder[:10], kinds[:10], 5)
    assert len(set(few)) == 1, "a few may be one product in several categories"
    assert len(set(group_listings(placeholder, ["A", "B", "A"] * 7, 5))) == 1


@pytest.mark.parametrize("seed", range(3))
def test_folds_keep_groups_whole_and_spread_categories(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.sort(rng.integers(0, 90, 120))
    categories = [f"c{group % 3}" for group in groups]
    folds = assign_folds(categories, groups, 5, seed)
    for group in set(groups):
        assert len(set(folds[groups == group])) == 1
    for category in set(categories):
        counts = Counter(fold for fold, name in zip(folds, categories, strict=True) if name == category)
        assert max(counts.values()) - min(counts.values()) <= 4
    assert np.array_equal(folds, assign_folds(categories, groups, 5, seed))


def test_a_category_smaller_than_the_number_of_folds_is_fine() -> None:
    folds = assign_folds(["rare", *["common"] * 12], np.arange(13), 5, 0)
    assert np.bincount(folds, minlength=5).min() >= 2
