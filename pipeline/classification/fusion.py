"""Late fusion: the calibrated answers of text and image become one, and either may be missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import (
    Floats,
    Pool,
    fit_pool,
    log_probabilities,
)

Flags = NDArray[np.bool_]
# Both sides carry a bias a category already; learned once more from few listings, it costs more than it gives.
BIAS_PENALTY = 50.0
SHARES = (0.75, 0.5, 0.25, 0.0)  # of the photo's likeliest weight, tried where they may be right more often
LEAST = 20  # listings with both text and photo, below which the two are simply weighed alike


def fuse(pool: Pool | None, text: Floats, image: Floats, has_text: Flags, has_image: Flags) -> Floats:
    """Probabilities of shape (n, categories): pooled where both are there, else the one there is, else zeros.

    ``text`` and ``image`` are calibrated probabilities of that shape, ``has_text`` and ``has_image`` of shape (n,).
    """
    fused = np.where(has_text[:, None], text, np.where(has_image[:, None], image, 0.0)).astype(np.float32)
    both = has_text & has_image
    if both.any():
        chosen = pool or _even(text.shape[1])
        fused[both] = chosen.probabilities([log_probabilities(text[both]), log_probabilities(image[both])])
    return fused


def fit_fusion(text: Floats, image: Floats, labels: NDArray[np.int64], both: Flags) -> Pool | None:
    """The pool of the listings that have both; None when they are fewer than LEAST."""
    if both.sum() < LEAST:
        return None
    return _fitted(log_probabilities(text[both]), log_probabilities(image[both]), labels[both])


def held_out_fused(
    text: Floats,
    image: Floats,
    labels: NDArray[np.int64],
    has_text: Flags,
    has_image: Flags,
    folds: NDArray[np.int64],
) -> Floats:
    """Fused probabilities of each listing by a pool that never saw it; the single ones must be held out already."""
    fused = fuse(None, text, image, has_text, has_image)
    both = has_text & has_image
    if both.sum() >= LEAST:
        sources, mine = [log_probabilities(text[both]), log_probabilities(image[both])], labels[both]
        found = fused[both]
        for fold in np.unique(folds[both]):
            outside = folds[both] == fold
            inside = ~outside if not outside.all() else outside
            pool = _fitted(sources[0][inside], sources[1][inside], mine[inside])
            found[outside] = pool.probabilities([source[outside] for source in sources])
        fused[both] = found
    return fused


def _fitted(text: Floats, image: Floats, labels: NDArray[np.int64]) -> Pool:
    """The likeliest pool, or one in which the photo weighs less of that, if more listings are right with it."""
    best = fit_pool([text, image], labels, BIAS_PENALTY)
    weight = float(best.slopes[1] / best.slopes[0])
    most = _right(best, text, image, labels)
    for share in SHARES:
        joint = np.asarray(text + np.float32(share * weight) * image, np.float32)
        alone = fit_pool([joint], labels, BIAS_PENALTY)
        pool = Pool(np.array([1.0, share * weight], np.float32) * alone.slopes[0], alone.bias)
        if (right := _right(pool, text, image, labels)) > most:
            best, most = pool, right
    return best


def _right(pool: Pool, text: Floats, image: Floats, labels: NDArray[np.int64]) -> int:
    return int((pool.probabilities([text, image]).argmax(axis=1) == labels).sum())


def _even(kinds: int) -> Pool:
    return Pool(np.full(2, 0.7, np.float32), np.zeros(kinds, np.float32))
