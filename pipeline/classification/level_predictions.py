"""Predictions at every level of the taxonomy, and the answers: the deepest category that reaches its threshold.

A probability above one half at a level implies the same at all levels above, along one path. Thresholds are above that
(LOWEST_THRESHOLD), so the categories that reach theirs lie on one path, and the deepest of them is the answer.

Thresholds are chosen from the deepest level to the top. At each level, the listings that are answered deeper count with
those answers, right or wrong, so the target holds for all answers at and below a category, not only for those that stop
there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    """The most probable ``categories`` (n, levels) and their ``confidence``, at each of the ``levels``.

    Where the most probable category at a level ends above it, it stands for the rest of that category: the listings
    that no deeper class fits. Rows without evidence have '' and 0.
    """

    levels: tuple[int, ...]
    categories: Names
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
        categories, confidence = [], []
        for level in tree.levels:
            groups = tree.groups(level)
            sums = groups.sums(class_probabilities)
            if left_out is not None:
                sums[:, [left_out(str(name)) for name in groups.names]] = -1.0
            best = sums.argmax(axis=1)
            predicted = usable & (sums[rows, best] >= 0)
            categories.append(np.where(predicted, groups.names[best], ""))
            confidence.append(np.where(predicted, sums[rows, best], 0.0).astype(np.float64))
        return cls(tree.levels, np.stack(categories, axis=1), np.stack(confidence, axis=1))

    @classmethod
    def concatenate(cls, parts: Sequence[LevelPredictions]) -> LevelPredictions:
        """The predictions of several models; where one has fewer levels, its deepest stands for those below."""
        levels = max((part.levels for part in parts), key=len)
        columns = [[min(column, len(part.levels) - 1) for column in range(len(levels))] for part in parts]
        return cls(
            levels,
            np.concatenate([part.categories[:, chosen] for part, chosen in zip(parts, columns, strict=True)]),
            np.concatenate([part.confidence[:, chosen] for part, chosen in zip(parts, columns, strict=True)]),
        )

    def subset(self, mask: Mask) -> LevelPredictions:
        """The predictions of the listings in ``mask``, (n,)."""
        return LevelPredictions(self.levels, self.categories[mask], self.confidence[mask])

    def at(self, level: int) -> Answers:
        """The most probable category at one level, or at the deepest level above it that there is."""
        column = max((index for index, known in enumerate(self.levels) if known <= level), default=0)
        return Answers(self.categories[:, column], self.confidence[:, column])

    @property
    def best(self) -> Answers:
        """The most probable class."""
        return Answers(self.categories[:, -1], self.confidence[:, -1])

    def is_answer(self) -> Mask:
        """Whether each prediction (n, levels) may be an answer: it is not the rest of a category above its level."""
        known = self.categories != ""
        if len(self.levels) == 1:
            return np.asarray(known, bool)
        return np.asarray(known & (_depths(self.categories) == np.array(self.levels)[None, :]), bool)

    def answers(self, thresholds: Thresholds) -> Answers:
        """The deepest category of each row that reaches its threshold."""
        least = _thresholds_of(self.categories, thresholds)
        reached = self.is_answer() & (self.confidence >= least)
        column = np.where(reached.any(axis=1), len(self.levels) - 1 - reached[:, ::-1].argmax(axis=1), -1)
        rows = np.arange(len(column))
        answered = column >= 0
        return Answers(
            np.where(answered, self.categories[rows, column], ""),
            np.where(answered, self.confidence[rows, column], 0.0),
        )


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
    n_listings = len(truth)
    paths = np.asarray(truth, dtype=np.str_)
    deep = len(predictions.levels) > 1
    can_answer = predictions.is_answer()
    answer = np.full(n_listings, "", dtype=predictions.categories.dtype)
    is_right = np.zeros(n_listings, bool)
    by_category: dict[str, float] = {}
    for column in range(len(predictions.levels) - 1, -1, -1):
        level = predictions.levels[column]
        names, confidence = predictions.categories[:, column], predictions.confidence[:, column]
        answered = answer != ""
        above = cut_names(answer, level) if deep else answer
        predicted = np.where(answered, above, names)
        truth_here = cut_names(paths, level) if deep else paths
        right = np.where(answered, is_right, truth_here == names)
        counted = answered | can_answer[:, column]
        index = {name: position for position, name in enumerate(categories[column])}
        chosen = choose(
            categories[column],
            np.array([index[name] for name in predicted[counted].tolist()], np.int64),
            np.where(answered, 1.0, confidence)[counted],
            right[counted],
            target,
        )
        by_category |= chosen.by_category
        new = ~answered & can_answer[:, column] & (confidence >= _thresholds_of(names[:, None], chosen)[:, 0])
        answer[new], is_right[new] = names[new], right[new]
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


def _depths(names: Names) -> NDArray[np.int64]:
    unique, inverse = np.unique(names, return_inverse=True)
    return np.array([depth(str(name)) for name in unique], np.int64)[inverse].reshape(names.shape)


def _thresholds_of(names: Names, thresholds: Thresholds) -> NDArray[np.float64]:
    unique, inverse = np.unique(names, return_inverse=True)
    return np.array([thresholds.of(str(name)) for name in unique], np.float64)[inverse].reshape(names.shape)
