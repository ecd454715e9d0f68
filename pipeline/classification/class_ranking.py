"""Class probabilities as people see them: ranked whole paths, and the path down the taxonomy that is decided by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.category_tree import CategoryTree, cut_path, depth, is_at_or_below
from pipeline.classification.decision_policy import PathDown
from pipeline.classification.level_predictions import LevelPredictions
from pipeline.domain.prediction import Modality, Prediction, Ranked
from pipeline.features.extractor import Floats, Mask

MAX_RANKED_CATEGORIES = 5  # of a prediction


class ClassRanking:
    """Ranks the classes of a tree, without the categories at or below the ``retired`` paths."""

    def __init__(self, tree: CategoryTree, retired: frozenset[str] = frozenset()) -> None:
        self.retired = retired
        self._tree = tree
        self._known = np.array([not self._is_retired(name) for name in tree.classes], bool)
        small = (path for paths in tree.small.values() for path in paths)
        names = [name for name in (*tree.classes, *small) if not self._is_retired(name)]
        self._with_categories_below = {cut_path(name, level) for name in names for level in range(1, depth(name))}

    def predictions(self, modality: Modality, class_probabilities: Floats, usable: Mask) -> list[Prediction | None]:
        """The most probable paths of each row of (n, classes); None without evidence, or if all are retired."""
        allowed = np.where(self._known, class_probabilities, -1.0)
        order = np.argsort(-allowed, axis=1, kind="stable")[:, :MAX_RANKED_CATEGORIES]
        return [
            self._prediction(modality, row, order_of_row) if has else None
            for row, order_of_row, has in zip(class_probabilities, order, usable, strict=True)
        ]

    def paths_down(self, class_probabilities: Floats, usable: Mask) -> list[PathDown | None]:
        """The path of each row from the top down; None without evidence, or if every category is retired.

        The probability of a retired category still counts for the categories above it.
        """
        left_out = self._is_retired if self.retired else None
        levels = LevelPredictions.of(self._tree, class_probabilities, usable, left_out)
        names = [*levels.names.tolist(), ""]
        return [
            self._path_down([(names[position], each) for position, each in zip(index, confidence, strict=True)])
            if index[0] >= 0
            else None
            for index, confidence in zip(levels.index.tolist(), levels.confidence.tolist(), strict=True)
        ]

    def _prediction(self, modality: Modality, probabilities: Floats, order: NDArray[np.int64]) -> Prediction | None:
        ranked = [
            path
            for index in order
            if self._known[index]
            for path in self._paths_of(int(index), float(probabilities[index]))
        ]
        ranked.sort(key=lambda path: -path.probability)
        return Prediction(modality, tuple(ranked[:MAX_RANKED_CATEGORIES])) if ranked else None

    def _paths_of(self, index: int, probability: float) -> Iterator[Ranked]:
        """A class, or the small categories that were learned as one with it, by their shares of its listings."""
        name = self._tree.classes[index]
        small = {path: n for path, n in self._tree.small.get(name, {}).items() if not self._is_retired(path)}
        if not small:
            yield Ranked(name, probability)
            return
        total = sum(small.values())
        for path, n in small.items():
            yield Ranked(path, probability * n / total)

    def _path_down(self, predicted: list[tuple[str, float]]) -> PathDown:
        if not self._tree.is_deep:
            return PathDown((Ranked(*predicted[0]),))
        path: list[Ranked] = []
        for level, (name, probability) in zip(self._tree.levels, predicted, strict=True):
            if depth(name) != level or (path and not is_at_or_below(name, path[-1].category)):
                break
            path.append(Ranked(name, probability))
        last = path[-1].category
        ends_here = len(path) < len(predicted) and predicted[len(path)][0] == last and last not in self._tree.small
        return PathDown(tuple(path), last in self._with_categories_below and not ends_here)

    def _is_retired(self, path: str) -> bool:
        return bool(self.retired) and any(cut_path(path, level) in self.retired for level in range(1, depth(path) + 1))
