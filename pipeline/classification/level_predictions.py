"""Predictions at every level of the taxonomy, and the answers: the deepest category that reaches its threshold.

If a category has a probability above one half, so do its ancestors: such categories lie on one path. Thresholds are
above that (LOWEST_THRESHOLD), so the categories that reach theirs lie on one path, and the deepest of them is the
answer. Thresholds are chosen from the deepest level to the top. At each level, the listings that are answered deeper
count with those answers, right or wrong, so the target holds for all answers at and below a category, not only for
those that stop there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.category_tree import CategoryTree, cut_path, depth, is_at_or_below
from pipeline.classification.decision_policy import UNREACHABLE_THRESHOLD, Thresholds, choose_thresholds
from pipeline.features.extractor import Floats, Mask

Names = NDArray[np.str_]
# Categories, indices of the predicted ones, confidences, whether they are right, target -> thresholds.
ThresholdChooser = Callable[[Sequence[str], NDArray[np.int64], NDArray[np.float64], Mask, float], Thresholds]


@dataclass(frozen=True, slots=True)
class LevelPredictions:
    """The most probable category at each of the ``levels``: its ``index`` (n, levels) into ``names``, and confidence.

    Where the most probable category at a level ends above it, it stands for the rest of that category: the listings
    that no deeper class fits. Rows without evidence have index -1 and confidence 0.
    """

    levels: tuple[int, ...]
    names: Names
    index: NDArray[np.int64]
    confidence: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        tree: CategoryTree,
        class_probabilities: Floats,
        usable: Mask,
        left_out: Callable[[str], bool] | None = None,
    ) -> LevelPredictions:
        """From the probabilities of the tree's classes, (n, classes); ``usable`` (n,) marks rows with evidence.

        Categories that are ``left_out`` are not predicted.
        """
        rows = np.arange(len(usable))
        names = tree.all_names
        index, confidence = [], []
        for level in tree.levels:
            groups = tree.groups(level)
            sums = groups.sums(class_probabilities)
            if left_out is not None:
                sums[:, [left_out(str(name)) for name in groups.names]] = -1.0
            best = sums.argmax(axis=1)
            predicted = usable & (sums[rows, best] >= 0)
            index.append(np.where(predicted, tree.positions(level)[best], -1))
            confidence.append(np.where(predicted, sums[rows, best], 0.0).astype(np.float64))
        return cls(tree.levels, names, np.stack(index, axis=1), np.stack(confidence, axis=1))

    @classmethod
    def concatenate(cls, parts: Sequence[LevelPredictions]) -> LevelPredictions:
        """The predictions of several models; where one has fewer levels, its deepest stands for those below."""
        levels = max((part.levels for part in parts), key=len)
        names = np.array(sorted({name for part in parts for name in part.names.tolist()}), dtype=np.str_)
        index, confidence = [], []
        for part in parts:
            columns = [min(column, len(part.levels) - 1) for column in range(len(levels))]
            position = np.append(np.searchsorted(names, part.names), -1)
            index.append(position[part.index[:, columns]])
            confidence.append(part.confidence[:, columns])
        return cls(levels, names, np.concatenate(index), np.concatenate(confidence))

    def subset(self, rows: Mask | NDArray[np.int64]) -> LevelPredictions:
        """The predictions of some listings: a mask (n,), or indices in any order."""
        return replace(self, index=self.index[rows], confidence=self.confidence[rows])

    def column(self, column: int) -> Answers:
        """The predictions of one of the levels."""
        return self._named(self.index[:, column], self.confidence[:, column])

    def at(self, level: int) -> Answers:
        """The most probable category at one level, or at the deepest level above it that there is."""
        return self.column(max((position for position, known in enumerate(self.levels) if known <= level), default=0))

    def alone(self, level: int) -> LevelPredictions:
        """The possible answers at one level, as those of a model of that level."""
        column = self.levels.index(level)
        possible = self.is_answer()[:, [column]]
        return replace(
            self,
            levels=(level,),
            index=np.where(possible, self.index[:, [column]], -1),
            confidence=np.where(possible, self.confidence[:, [column]], 0.0),
        )

    def names_at(self, level: int) -> list[str]:
        """The categories that may be answered at ``level``."""
        names: list[str] = self.names.tolist()
        return names if len(self.levels) == 1 else [name for name in names if depth(name) == level]

    @property
    def best(self) -> Answers:
        """The most probable class."""
        return self.column(-1)

    def is_answer(self) -> Mask:
        """Whether each prediction (n, levels) may be an answer: it is not the rest of a category above its level."""
        known = self.index >= 0
        if len(self.levels) == 1:
            return np.asarray(known, bool)
        return np.asarray(known & (_depths(self.names)[self.index] == np.array(self.levels)[None, :]), bool)

    def reached(self, thresholds: Thresholds) -> Mask:
        """Whether each prediction (n, levels) may be an answer and is sure enough."""
        return self.is_answer() & (self.confidence >= _thresholds_of(self.names, thresholds)[self.index])

    def answers(self, thresholds: Thresholds) -> Answers:
        """The deepest category of each row that reaches its threshold."""
        reached = self.reached(thresholds)
        column = len(self.levels) - 1 - reached[:, ::-1].argmax(axis=1)
        rows, answered = np.arange(len(column)), reached.any(axis=1)
        return self._named(
            np.where(answered, self.index[rows, column], -1), np.where(answered, self.confidence[rows, column], 0.0)
        )

    def _named(self, index: NDArray[np.int64], confidence: NDArray[np.float64]) -> Answers:
        return Answers(np.where(index >= 0, self.names[index], ""), confidence)


@dataclass(frozen=True, slots=True)
class Answers:
    """The answer of each row and its confidence, (n,); '' and 0 where no category is sure enough."""

    categories: Names
    confidence: NDArray[np.float64]

    def correct(self, truth: Sequence[str] | Names, *, exact: bool) -> Mask:
        """Whether the true path is at or below the answer, (n,); with ``exact``, whether it is the answer."""
        if exact:
            return np.asarray(self.categories == np.asarray(truth, dtype=np.str_), bool)
        pairs = zip(self.categories.tolist(), truth, strict=True)
        return np.array([bool(answer) and is_at_or_below(str(path), answer) for answer, path in pairs], bool)

    def only(self, mask: Mask) -> Answers:
        """The answers of the listings in ``mask``, (n,); none for the others."""
        return Answers(np.where(mask, self.categories, ""), np.where(mask, self.confidence, 0.0))

    @property
    def depths(self) -> NDArray[np.int64]:
        """The level of each answer, (n,); 0 without one."""
        return _depths(self.categories)


def choose_level_thresholds(
    predictions: LevelPredictions,
    truth: Sequence[str] | Names,
    target: float,
    categories: Sequence[Sequence[str]],
    choose: ThresholdChooser = choose_thresholds,
) -> Thresholds:
    """Thresholds of the ``categories`` of each level for the ``target`` precision; see the module.

    ``truth`` (n,) are full paths, or for a model of a single level the categories there. ``choose`` is the rule for one
    level.
    """
    deep = len(predictions.levels) > 1
    can_answer = predictions.is_answer()
    answer = np.full(len(truth), -1, np.int64)
    is_right = np.zeros(len(truth), bool)
    by_category: dict[str, float] = {}
    for column in range(len(predictions.levels) - 1, -1, -1):
        level = predictions.levels[column]
        index, confidence = predictions.index[:, column], predictions.confidence[:, column]
        answered = answer >= 0
        predicted = np.where(answered, _ancestors(predictions.names, level)[answer], index) if deep else index
        true_names = cut_names(np.asarray(truth, dtype=np.str_), level) if deep else np.asarray(truth, dtype=np.str_)
        right = np.where(answered, is_right, predictions.column(column).categories == true_names)
        counted = answered | can_answer[:, column]
        label = {name: position for position, name in enumerate(categories[column])}
        label_of_name = np.array([label.get(name, -1) for name in predictions.names.tolist()], np.int64)
        chosen = choose(
            categories[column],
            label_of_name[predicted[counted]],
            np.where(answered, 1.0, confidence)[counted],
            right[counted],
            target,
        )
        by_category |= chosen.by_category
        new = ~answered & predictions.reached(chosen)[:, column]
        answer[new], is_right[new] = index[new], right[new]
    return Thresholds(target, by_category)


def choose_pooled_threshold(
    categories: Sequence[str],
    _predicted: NDArray[np.int64],
    confidence: NDArray[np.float64],
    correct: Mask,
    target: float,
) -> Thresholds:
    """One threshold for all categories: the lowest at which the share of correct predictions is at least ``target``.

    Without allowance for chance: it measures coverage at a precision, where ``choose_thresholds`` promises one.
    """
    order = np.argsort(-confidence, kind="stable")
    precision = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    last_of_its_value = np.append(np.diff(confidence[order]) != 0, True) if len(order) else np.zeros(0, bool)
    sufficient = np.flatnonzero((precision >= target) & last_of_its_value)
    threshold = float(confidence[order][sufficient[-1]]) if len(sufficient) else UNREACHABLE_THRESHOLD
    return Thresholds(target, dict.fromkeys(categories, threshold))


def cut_names(paths: Names, level: int) -> Names:
    """The ancestors of paths at a level, (n,)."""
    unique, inverse = np.unique(paths, return_inverse=True)
    return np.array([cut_path(str(path), level) for path in unique], dtype=np.str_)[inverse]


def _ancestors(names: Names, level: int) -> NDArray[np.int64]:
    """The index of the ancestor at a level of each of the sorted names, which has it among them if it is that deep."""
    return np.searchsorted(names, cut_names(names, level))


def _depths(names: Names) -> NDArray[np.int64]:
    return np.array([depth(name) for name in names.tolist()], np.int64)


def _thresholds_of(names: Names, thresholds: Thresholds) -> NDArray[np.float64]:
    return np.array([thresholds.of(name) for name in names.tolist()], np.float64)
