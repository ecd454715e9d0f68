"""Ranked paths, small categories by their share, retired categories."""

from __future__ import annotations

import numpy as np

from pipeline.classification.category_tree import CategoryTree
from pipeline.classification.class_ranking import ClassRanking
from pipeline.classification.decision_policy import PathDown
from pipeline.domain.prediction import Modality, Ranked

TREE = CategoryTree(("A", "A >> B", "A >> C", "F"), (1, 2), {"A": {"A >> D": 3, "A": 1}})
ONE = np.ones(1, bool)


def ranked(probabilities: list[float], retired: frozenset[str] = frozenset()) -> dict[str, float]:
    (prediction,) = ClassRanking(TREE, retired).predictions(Modality.FUSED, np.array([probabilities], np.float32), ONE)
    assert prediction is not None
    return {one.category: round(one.probability, 3) for one in prediction.ranked}


def path(probabilities: list[float], retired: frozenset[str] = frozenset()) -> PathDown | None:
    (down,) = ClassRanking(TREE, retired).paths_down(np.array([probabilities], np.float32), ONE)
    return down


def categories(down: PathDown | None) -> list[str]:
    return [] if down is None else [one.category for one in down.ranked]


def test_small_categories_are_suggested_by_their_share_of_the_class_that_learned_them() -> None:
    found = ranked([0.4, 0.35, 0.05, 0.2])
    assert found == {"A >> B": 0.35, "A >> D": 0.3, "F": 0.2, "A": 0.1, "A >> C": 0.05}
    assert list(found) == ["A >> B", "A >> D", "F", "A", "A >> C"]


def test_retired_categories_are_never_suggested_nor_on_the_path() -> None:
    assert "A >> B" not in ranked([0.1, 0.6, 0.2, 0.1], frozenset({"A >> B"}))
    assert "A >> D" not in ranked([0.5, 0.2, 0.2, 0.1], frozenset({"A >> D"}))
    assert set(ranked([0.1, 0.6, 0.2, 0.1], frozenset({"A"}))) == {"F"}
    assert categories(path([0.0, 0.9, 0.05, 0.05], frozenset({"A >> B"}))) == ["A", "A >> C"]
    down = path([0.0, 0.9, 0.05, 0.05], frozenset({"A >> B"}))
    assert down is not None
    assert round(down.ranked[0].probability, 2) == 0.95, "what is retired still belongs to the category above"
    assert categories(path([0.0, 0.9, 0.05, 0.05], frozenset({"A"}))) == ["F"]
    assert path([0.0, 0.9, 0.05, 0.05], frozenset({"A", "F"})) is None


def test_the_path_goes_down_as_long_as_the_likeliest_is_below() -> None:
    down = path([0.1, 0.6, 0.2, 0.1])
    assert categories(down) == ["A", "A >> B"]
    rest = path([0.8, 0.1, 0.05, 0.05])
    assert categories(rest) == ["A"]
    assert rest is not None
    assert rest.goes_on, "small categories lie below"
    top = path([0.0, 0.05, 0.05, 0.9])
    assert top == PathDown((Ranked("F", top.ranked[0].probability),), goes_on=False) if top else False


def test_a_path_that_ends_among_known_listings_is_complete() -> None:
    tree = CategoryTree(("A", "A >> B", "F"), (1, 2))
    (down,) = ClassRanking(tree).paths_down(np.array([[0.8, 0.1, 0.1]], np.float32), ONE)
    assert down is not None
    assert not down.goes_on
