"""Late fusion: the calibrated answers of text and image become one, and either may be missing.

Two pools are averaged. The logarithmic one multiplies, so that two hesitant answers that agree become a sure one; the
linear one adds, so that neither side can veto the other. Each errs where the other does not: the first trusts that the
sides know different things, the second that one of them is right (Genest & Zidek 1986, "Combining probability
distributions", Statistical Science).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Floats, Pool, fit_pool, log_probabilities

Flags = NDArray[np.bool_]
# Both sides carry a bias a category already; learned once more from few listings, it costs more than it gives.
BIAS_PENALTY = 50.0
SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # of the photo in the linear pool
CHOOSING = 1_500  # listings that the share is chosen on: it is fitted ten times, and a mean of so many tells it well
LEAST = 20  # listings with both text and photo, below which the two are simply weighed alike


@dataclass(frozen=True, slots=True)
class Fusion:
    """``product`` pools logarithms of text and image; ``sum`` calibrates the sum in which the image has ``share``.

    Without ``sum``, as in models of an earlier program, the product alone answers.
    """

    product: Pool
    sum: Pool | None = None
    share: float = 0.0

    def probabilities(self, text: Floats, image: Floats) -> Floats:
        """Of shape (n, categories), as ``text`` and ``image`` are."""
        multiplied = self.product.probabilities([log_probabilities(text), log_probabilities(image)])
        if self.sum is None:
            return multiplied
        added = self.sum.probabilities([_added(text, image, self.share)])
        return np.asarray((multiplied + added) / np.float32(2), np.float32)


def fuse(fusion: Fusion | None, text: Floats, image: Floats, has_text: Flags, has_image: Flags) -> Floats:
    """Probabilities of shape (n, categories): pooled where both are there, else the one there is, else zeros.

    ``text`` and ``image`` are calibrated probabilities of that shape, ``has_text`` and ``has_image`` of shape (n,).
    """
    fused = np.where(has_text[:, None], text, np.where(has_image[:, None], image, 0.0)).astype(np.float32)
    both = has_text & has_image
    if both.any():
        fused[both] = (fusion or _even(text.shape[1])).probabilities(text[both], image[both])
    return fused


def fit_fusion(text: Floats, image: Floats, labels: NDArray[np.int64], both: Flags) -> Fusion | None:
    """The likeliest pools of the listings that have both; None when they are fewer than LEAST."""
    if both.sum() < LEAST:
        return None
    return _fitted(text[both], image[both], labels[both])


def held_out_fused(
    text: Floats,
    image: Floats,
    labels: NDArray[np.int64],
    has_text: Flags,
    has_image: Flags,
    folds: NDArray[np.int64],
) -> Floats:
    """Fused probabilities of each listing by pools that never saw it; the single ones must be held out already."""
    fused = fuse(None, text, image, has_text, has_image)
    both = has_text & has_image
    if both.sum() >= LEAST:
        texts, images, mine, found = text[both], image[both], labels[both], fused[both]
        for fold in np.unique(folds[both]):
            outside = folds[both] == fold
            inside = ~outside if not outside.all() else outside
            fitted = _fitted(texts[inside], images[inside], mine[inside])
            found[outside] = fitted.probabilities(texts[outside], images[outside])
        fused[both] = found
    return fused


def _fitted(text: Floats, image: Floats, labels: NDArray[np.int64]) -> Fusion:
    product = fit_pool([log_probabilities(text), log_probabilities(image)], labels, BIAS_PENALTY)
    few = np.random.default_rng(0).permutation(len(labels))[:CHOOSING]
    likelihoods = [_likelihood(_added(text[few], image[few], share), labels[few]) for share in SHARES]
    share = SHARES[int(np.argmax(likelihoods))]
    return Fusion(product, fit_pool([_added(text, image, share)], labels, BIAS_PENALTY), share)


def _likelihood(added: Floats, labels: NDArray[np.int64]) -> float:
    """The mean logarithm of what a pool of this one source gives to the labels."""
    said = fit_pool([added], labels, BIAS_PENALTY).probabilities([added])
    return float(log_probabilities(said)[np.arange(len(labels)), labels].mean())


def _added(text: Floats, image: Floats, share: float) -> Floats:
    return log_probabilities(np.asarray((1 - share) * text + share * image, np.float32))


def _even(kinds: int) -> Fusion:
    return Fusion(Pool(np.full(2, 0.7, np.float32), np.zeros(kinds, np.float32)))
