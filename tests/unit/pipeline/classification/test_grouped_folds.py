from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pipeline.classification.grouped_folds import assign_folds


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
