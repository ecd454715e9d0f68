"""The level, the categories and the subcategories that a model is fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.classification.targets import (
    MIN_LISTINGS_PER_SUBCATEGORY,
    Subcategories,
    Targets,
    category_at_level,
    choose_level,
    subdivide,
)

MUGS, PANS = (
    ["Kitchen >> Mugs"] * MIN_LISTINGS_PER_SUBCATEGORY,
    ["Kitchen >> Pans >> Woks"] * (MIN_LISTINGS_PER_SUBCATEGORY + 2),
)


@pytest.mark.parametrize(
    ("categories", "level"),
    [
        (["A >> B"] * 20 + ["A >> C"] * 20, 2),
        (["A >> B"] * 20 + ["A >> C"] * 10, 1),
        (["A >> B >> x"] * 40 + ["C >> D >> y"] * 40, 1),
        (["A"] * 30 + ["B >> C"] * 30 + ["B >> D"] * 30, 2),
        (["A >> B", "C"], 1),
    ],
)
def test_the_level_is_the_deepest_with_enough_listings(categories: list[str], level: int) -> None:
    assert choose_level(categories) == level


def test_a_category_is_cut_to_its_ancestor() -> None:
    assert category_at_level("A > B >> C", 2) == "A >> B"
    assert category_at_level("A", 3) == "A"


def test_subcategories_are_those_with_enough_listings_and_the_rest_of_each_category() -> None:
    paths = [*MUGS, *PANS, *["Kitchen >> Whisks"] * (MIN_LISTINGS_PER_SUBCATEGORY - 1), "Kitchen", *["Garden"] * 20]
    labels = np.array([1 if path.startswith("Kitchen") else 0 for path in paths])
    below = subdivide(paths, labels, 2, level=1)
    assert below is not None
    assert below.parents.tolist() == [0, 1, 1, 1]
    mugs, pans = below.labels[: len(MUGS)], below.labels[len(MUGS) : len(MUGS) + len(PANS)]
    rest = below.labels[len(MUGS) + len(PANS) : -20]
    assert len(set(rest)) == 1
    assert len({*mugs, *pans, *rest}) == 3
    assert (below.parents[below.labels] == labels).all()


@pytest.mark.parametrize(
    ("paths", "level"),
    [
        (["Kitchen"] * 30 + ["Garden"] * 30, 1),
        (["Kitchen >> Mugs"] * 30 + ["Garden >> Rakes"] * 30, 1),
        ([*MUGS, *PANS], 2),
        ([*MUGS[1:], *PANS[3:], "Garden >> Rakes"], 1),
    ],
)
def test_without_a_category_of_several_subcategories_there_are_none(paths: list[str], level: int) -> None:
    names = sorted({path.split(" >> ")[level - 1] for path in paths})
    labels = np.array([names.index(path.split(" >> ")[level - 1]) for path in paths])
    assert subdivide(paths, labels, len(names), level) is None


def test_beyond_the_limit_the_largest_subcategories_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.classification.targets.MAX_SUBCATEGORIES", 3)
    paths = [*MUGS, *PANS, *["Garden >> Rakes"] * 40, *["Garden >> Pots"] * 30]
    below = subdivide(paths, np.repeat([1, 0], [len(MUGS + PANS), 70]), 2, level=1)
    assert below is not None
    assert below.parents.tolist() == [0, 0, 1]


def test_a_category_without_listings_is_its_own_subcategory() -> None:
    below = subdivide([*MUGS, *PANS], np.full(len(MUGS + PANS), 1), 3, level=1)
    assert below is not None
    assert below.parents.tolist() == [0, 1, 1, 2]


def test_targets_of_some_rows_and_of_subcategories() -> None:
    below = Subcategories(np.array([0, 1, 2, 2]), np.array([0, 0, 1]))
    targets = Targets(np.array([0, 0, 1, 1]), 2, np.array([0, 1, 0, 1]), below)
    some = targets.subset(np.array([False, True, True, False]))
    assert (some.labels.tolist(), some.folds.tolist()) == ([0, 1], [1, 0])
    assert some.subcategories is not None
    assert some.subcategories.labels.tolist() == [1, 2]
    fine = some.at_subcategories()
    assert (fine.labels.tolist(), fine.n_categories, fine.subcategories) == ([1, 2], 3, None)
    coarse = some.without_subcategories()
    assert coarse.at_subcategories() is coarse
