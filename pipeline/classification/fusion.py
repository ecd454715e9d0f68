"""Late fusion: the calibrated probabilities of text and photo become one, and either may be missing.

Two pools are averaged. The logarithmic one multiplies, so that two hesitant answers that agree become a sure one; the
linear one adds, so that neither modality can veto the other. Each errs where the other does not: the first assumes that
the modalities know different things, the second that one of them is right (Genest & Zidek 1986, "Combining probability
distributions", Statistical Science).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Pool, fit_pool, log_probabilities
from pipeline.features.extractor import Floats, Mask

# Both modalities have a bias for each category already; learning it again from few listings costs more than it gives.
BIAS_PENALTY = 50.0
SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # of the photo in the linear pool
SHARE_SAMPLE = 1_500  # listings that the share is chosen on: it takes ten fits, and more would change little
MIN_LISTINGS_TO_FIT = 20  # listings with both text and photo, below which the two weigh the same


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
        added = self.sum.probabilities([_log_sum(text, image, self.share)])
        return np.asarray((multiplied + added) / np.float32(2), np.float32)


@dataclass(frozen=True, slots=True)
class ModalityProbabilities:
    """Calibrated probabilities (n, categories) by ``text`` and ``image``, and the listings that have either, (n,)."""

    text: Floats
    image: Floats
    has_text: Mask
    has_image: Mask

    @property
    def has_both(self) -> Mask:
        """The listings to be fused, (n,)."""
        return self.has_text & self.has_image


def fuse(fusion: Fusion | None, given: ModalityProbabilities) -> Floats:
    """Probabilities (n, categories): fused where a listing has both, else those it has, else zeros."""
    single = np.where(given.has_image[:, None], given.image, 0.0)
    fused = np.where(given.has_text[:, None], given.text, single).astype(np.float32)
    both = given.has_both
    if both.any():
        fused[both] = (fusion or _even(given.text.shape[1])).probabilities(given.text[both], given.image[both])
    return fused


def fit_fusion(given: ModalityProbabilities, labels: NDArray[np.int64]) -> Fusion | None:
    """The likeliest pools of the listings that have both; None when they are fewer than MIN_LISTINGS_TO_FIT."""
    both = given.has_both
    if both.sum() < MIN_LISTINGS_TO_FIT:
        return None
    return _fit(given.text[both], given.image[both], labels[both])


def held_out_fused(given: ModalityProbabilities, labels: NDArray[np.int64], folds: NDArray[np.int64]) -> Floats:
    """Fused probabilities of each listing by pools fitted on the other folds; ``given`` must be held out already."""
    fused = fuse(None, given)
    both = given.has_both
    if both.sum() >= MIN_LISTINGS_TO_FIT:
        text, image, own_labels, result = given.text[both], given.image[both], labels[both], fused[both]
        for fold in np.unique(folds[both]):
            test = folds[both] == fold
            train = ~test if not test.all() else test
            fitted = _fit(text[train], image[train], own_labels[train])
            result[test] = fitted.probabilities(text[test], image[test])
        fused[both] = result
    return fused


def _fit(text: Floats, image: Floats, labels: NDArray[np.int64]) -> Fusion:
    product = fit_pool([log_probabilities(text), log_probabilities(image)], labels, BIAS_PENALTY)
    few = np.random.default_rng(0).permutation(len(labels))[:SHARE_SAMPLE]
    likelihoods = [_log_likelihood(_log_sum(text[few], image[few], share), labels[few]) for share in SHARES]
    share = SHARES[int(np.argmax(likelihoods))]
    return Fusion(product, fit_pool([_log_sum(text, image, share)], labels, BIAS_PENALTY), share)


def _log_likelihood(source: Floats, labels: NDArray[np.int64]) -> float:
    """The mean log likelihood of the labels under a pool of this one source."""
    probabilities = fit_pool([source], labels, BIAS_PENALTY).probabilities([source])
    return float(log_probabilities(probabilities)[np.arange(len(labels)), labels].mean())


def _log_sum(text: Floats, image: Floats, share: float) -> Floats:
    return log_probabilities(np.asarray((1 - share) * text + share * image, np.float32))


def _even(n_categories: int) -> Fusion:
    return Fusion(Pool(np.full(2, 0.7, np.float32), np.zeros(n_categories, np.float32)))
