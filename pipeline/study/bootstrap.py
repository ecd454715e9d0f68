"""Intervals by the bootstrap (Efron 1979): figures of the same answers over listings drawn again and again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.study import Spread

DRAWS = 500


def accuracy_and_f1(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], kinds: int, seed: int = 0
) -> tuple[Spread, Spread]:
    """Accuracy and macro F1 of ``predicted``, (repeats, n), against ``labels``, (n,); -1 is no answer.

    Mean and standard deviation are over the repeats; the interval, of their mean, holds 95 % of DRAWS drawn samples
    of the listings. Macro F1 counts the categories among the labels.
    """
    rng = np.random.default_rng(seed)
    count = len(labels)
    right = predicted == labels
    runs = [_macro_f1(labels, each, kinds, np.ones(count)) for each in predicted]
    accuracies, scores = [], []
    for _ in range(DRAWS):
        weight = np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)
        accuracies.append(float((right @ weight).mean() / count))
        scores.append(float(np.mean([_macro_f1(labels, each, kinds, weight) for each in predicted])))
    return _spread(right.mean(axis=1).tolist(), accuracies), _spread(runs, scores)


def _spread(runs: list[float], drawn: list[float]) -> Spread:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Spread.of(runs, float(low), float(high))


def _macro_f1(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], kinds: int, weight: NDArray[np.float64]
) -> float:
    answered = predicted >= 0
    true = np.bincount(labels, weight, kinds)
    said = np.bincount(predicted[answered], weight[answered], kinds)
    hits = np.bincount(labels, weight * (predicted == labels), kinds)
    present = true > 0
    return float((2 * hits[present] / (true + said)[present]).mean())
