"""Fitting the parts of a model: an estimator a view of the evidence, and calibration, of text and of photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Floats, fit_pool, held_out_probabilities
from pipeline.classification.estimators import LinearEstimator, fit
from pipeline.classification.extracting import (
    Progress,
    Remembering,
    learn_photos,
    learn_texts,
    look_at_photos,
    look_at_texts,
)
from pipeline.classification.part import EMBEDDING, Part
from pipeline.classification.reading import Reader
from pipeline.classification.views import SPEAKERS, Extractors, Seen, View, side_by_side
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import Matrix

# The part (None when there is too little to learn from), held-out probabilities of shape (n, categories),
# and which listings have the evidence, of shape (n,).
Fitted = tuple[Part | None, Floats, NDArray[np.bool_]]


def fit_text(
    evidences: Sequence[Evidence],
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    name: str | None,
    seed: int | None = None,
    weights: str | None = None,
    known: Remembering | None = None,
) -> Fitted:
    """The text part, learned from the listings that have any text; words and attributes apart if enough have both."""
    extractors = learn_texts(evidences, name, weights, known) if name else None
    if extractors is None:
        return _nothing(len(evidences), kinds)
    return fit_part(extractors, look_at_texts(extractors, evidences, labels), labels, kinds, folds, seed)


def fit_image(
    evidences: Sequence[Evidence],
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    reader: Reader,
    seed: int,
    progress: Progress,
    embed: bool = True,
) -> Fitted:
    """The image part. Each photo is read at most twice: once to fit the extractors on a sample, once to use them."""
    extractors = learn_photos(evidences, reader, seed, lambda share, note: progress(0.1 + 0.4 * share, note))
    if extractors is None:
        return _nothing(len(evidences), kinds)
    seen = look_at_photos(extractors, evidences, reader, lambda share, note: progress(0.5 + 0.35 * share, note))
    progress(0.85, "learning categories from photos")
    return fit_part(extractors, seen, labels, kinds, folds, seed if embed else None)


def fit_part(
    extractors: Extractors,
    seen: Seen,
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    seed: int | None = None,
) -> Fitted:
    """An estimator a view, then a pool a situation; the probabilities are held out over ``folds``.

    Without a ``seed`` the part has no projections: it judges, and embeds nothing.
    """
    if len(np.unique(labels[seen.usable])) < 2:
        return _nothing(len(labels), kinds)
    if any(len(np.unique(labels[has])) < 2 for has in seen.has.values()):
        seen = seen.whole()
    estimators: dict[View, LinearEstimator] = {}
    scores: dict[View, Floats] = {}
    for view, vectors in seen.vectors.items():
        has = seen.has[view]
        fitted = fit(_rows(side_by_side(vectors), has), labels[has], kinds, folds[has])
        estimators[view] = fitted.estimator
        scores[view] = np.zeros((len(labels), kinds), np.float32)
        scores[view][has] = fitted.held_out
    held_out = np.zeros((len(labels), kinds), np.float32)
    pools = {}
    for situation, mine in seen.situations().items():
        speakers = SPEAKERS[situation]
        # A listing that has both sides teaches, by each of them, how to judge one that has only that.
        taught = np.all([seen.has[view] for view in speakers], axis=0)
        sources = [scores[view][taught] for view in speakers]
        pools[situation] = fit_pool(sources, labels[taught])
        found = np.zeros((len(labels), kinds), np.float32)
        if mine.any():
            found[taught] = held_out_probabilities(sources, labels[taught], folds[taught])
            held_out[mine] = found[mine]
    embedded = seen.vectors[View.WHOLE] if seed is not None else {}
    projections = {name: _principal_axes(_rows(rows, seen.usable), seed or 0) for name, rows in embedded.items()}
    return Part(extractors, estimators, pools, projections), held_out, seen.usable


def _nothing(count: int, kinds: int) -> Fitted:
    return None, np.zeros((count, kinds), np.float32), np.zeros(count, bool)


def _rows(matrix: Matrix, has: NDArray[np.bool_]) -> Matrix:
    return matrix if has.all() else matrix[has]


def _principal_axes(rows: Matrix, seed: int) -> Floats:
    """The leading right singular vectors, shape (d, EMBEDDING), by the randomised method of Halko et al. (2011)."""
    from sklearn.utils.extmath import randomized_svd  # only training needs it

    drawn = rows[np.random.default_rng(seed).permutation(rows.shape[0])[:3_000]]
    kept = min(EMBEDDING, *drawn.shape)
    axes = np.zeros((rows.shape[1], EMBEDDING), np.float32)
    axes[:, :kept] = randomized_svd(drawn, kept, n_iter=2, random_state=seed)[2].T
    return axes
