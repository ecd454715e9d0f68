"""Late fusion: the calibrated answers of text and image become one, and either may be missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import (
    Floats,
    Pool,
    fit_pool,
    held_out_probabilities,
    log_probabilities,
)

Flags = NDArray[np.bool_]
# Both sides carry a bias a category already; learned once more from few listings, it costs more than it gives.
BIAS_PENALTY = 50.0
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
    return fit_pool([log_probabilities(text[both]), log_probabilities(image[both])], labels[both], BIAS_PENALTY)


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
        sources = [log_probabilities(text[both]), log_probabilities(image[both])]
        fused[both] = held_out_probabilities(sources, labels[both], folds[both], BIAS_PENALTY)
    return fused


def _even(kinds: int) -> Pool:
    return Pool(np.full(2, 0.7, np.float32), np.zeros(kinds, np.float32))
