"""The classes of a model of whole paths, and their groups by level."""

from __future__ import annotations

import numpy as np

from pipeline.classification.category_tree import (
    CategoryTree,
    assign_classes,
    count_small_categories,
    cut_path,
    depth,
)

PATHS = ["A >> B >> C"] * 3 + ["A >> B >> D"] + ["A >> E"] * 2 + ["F >> G"] + ["F"]


def test_a_class_is_the_deepest_category_with_enough_listings() -> None:
    assert assign_classes(PATHS, 2) == ["A >> B >> C"] * 3 + ["A >> B"] + ["A >> E"] * 2 + ["F", "F"]
    assert assign_classes(PATHS, 3) == ["A >> B >> C"] * 3 + ["A >> B", "A", "A", "F", "F"]


def test_with_too_many_classes_the_smallest_are_learned_at_the_level_above() -> None:
    assert set(assign_classes(PATHS, 1, max_classes=4)) == {"A >> B >> C", "A >> B", "A >> E", "F"}
    assert set(assign_classes(PATHS, 1, max_classes=1)) == {"A", "F"}, "top categories stay"


def test_categories_that_are_too_small_are_counted_with_the_class_that_learned_them() -> None:
    small = count_small_categories(PATHS, assign_classes(PATHS, 2))
    assert small == {"A >> B": {"A >> B >> D": 1}, "F": {"F": 1, "F >> G": 1}}


def test_probabilities_of_classes_add_up_the_tree() -> None:
    tree = CategoryTree(("A", "A >> B", "A >> B >> C", "F"), (1, 2, 3))
    probabilities = np.array([[0.1, 0.2, 0.4, 0.3]], np.float32)
    top, middle = tree.groups(1), tree.groups(2)
    assert top.names.tolist() == ["A", "F"]
    np.testing.assert_allclose(top.sums(probabilities), [[0.7, 0.3]], atol=1e-6)
    assert middle.names.tolist() == ["A", "A >> B", "F"], "A stands for the rest of it"
    np.testing.assert_allclose(middle.sums(probabilities), [[0.1, 0.6, 0.3]], atol=1e-6)
    assert tree.names_at(2) == ["A >> B"]
    assert tree.all_names.tolist() == ["A", "A >> B", "A >> B >> C", "F"]


def test_a_tree_of_one_level_answers_with_paths_that_end_above_it() -> None:
    tree = CategoryTree(("A >> B", "F"), (2,))
    assert not tree.is_deep
    assert tree.names_at(2) == ["A >> B", "F"]


def test_paths_are_cut_and_measured() -> None:
    assert (cut_path("A >> B >> C", 2), cut_path("A", 2)) == ("A >> B", "A")
    assert [depth(path) for path in ("", "A", "A >> B")] == [0, 1, 2]


def test_sums_of_rounded_probabilities_are_never_above_one() -> None:
    tree = CategoryTree(tuple(f"A >> {number:02}" for number in range(11)), (1, 2))
    shares = np.full((1, 11), np.float32(1 / 11), np.float32)
    assert float(np.add.reduceat(shares, [0], axis=1)[0, 0]) > 1, "plain sums are"
    assert float(tree.groups(1).sums(shares).max()) <= 1
