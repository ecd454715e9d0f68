"""Late fusion: combine the calibrated probabilities of text and photo; either may be missing.

Two pools are averaged. The logarithmic one multiplies, so that two uncertain predictions that agree become a confident
one; the linear one adds, so that neither modality can veto the other. Their errors differ: the first assumes that the
modalities are independent, the second that one of them is correct (Genest & Zidek 1986, "Combining probability
distributions", Statistical Science).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Pool, fit_pool, log_probabilities
from pipeline.features.extractor import Floats, Mask

# Both modalities already have a bias per category; learning another from few listings does more harm than good.
BIAS_PENALTY = 50.0
IMAGE_SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # candidates for the linear pool
SHARE_SAMPLE = 1_500  # listings that the share is chosen on: it takes ten fits, and more would change little
MIN_LISTINGS_TO_FIT = 20  # listings with both text and photo, below which the two get equal weights


@dataclass(frozen=True, slots=True)
class Fusion:
    """``product`` pools logarithms of text and image; ``sum`` calibrates the sum in which the image has ``share``.

    Without ``sum``, as in models of earlier versions, only the product is used.
    """

    product: Pool
    sum: Pool | None = None
    share: float = 0.0

    def probabilities(self, text: Floats, image: Floats) -> Floats:
        """Fused probabilities, of shape (n, categories) like ``text`` and ``image``."""
        by_product = self.product.probabilities([log_probabilities(text), log_probabilities(image)])
        if self.sum is None:
            return by_product
        by_sum = self.sum.probabilities([_log_sum(text, image, self.share)])
        return np.asarray((by_product + by_sum) / np.float32(2), np.float32)


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


def fuse(fusion: Fusion | None, modalities: ModalityProbabilities) -> Floats:
    """Probabilities (n, categories): fused if a listing has both, else those of the modality it has, or zeros."""
    single = np.where(modalities.has_image[:, None], modalities.image, 0.0)
    fused = np.where(modalities.has_text[:, None], modalities.text, single).astype(np.float32)
    both = modalities.has_both
    if both.any():
        fused[both] = (fusion or _equal_weights(modalities.text.shape[1])).probabilities(
            modalities.text[both], modalities.image[both]
        )
    return fused


def fit_fusion(modalities: ModalityProbabilities, labels: NDArray[np.int64]) -> Fusion | None:
    """Fit by maximum likelihood on the listings that have both; None if they are fewer than MIN_LISTINGS_TO_FIT."""
    both = modalities.has_both
    if both.sum() < MIN_LISTINGS_TO_FIT:
        return None
    return _fit(modalities.text[both], modalities.image[both], labels[both])


def held_out_fused(modalities: ModalityProbabilities, labels: NDArray[np.int64], folds: NDArray[np.int64]) -> Floats:
    """Fused probabilities of each listing by pools fitted on the other folds; ``modalities`` must be held out too."""
    fused = fuse(None, modalities)
    both = modalities.has_both
    if both.sum() >= MIN_LISTINGS_TO_FIT:
        text, image, both_labels, both_fused = modalities.text[both], modalities.image[both], labels[both], fused[both]
        for fold in np.unique(folds[both]):
            test = folds[both] == fold
            train = ~test if not test.all() else test
            fitted = _fit(text[train], image[train], both_labels[train])
            both_fused[test] = fitted.probabilities(text[test], image[test])
        fused[both] = both_fused
    return fused


def _fit(text: Floats, image: Floats, labels: NDArray[np.int64]) -> Fusion:
    product = fit_pool([log_probabilities(text), log_probabilities(image)], labels, BIAS_PENALTY)
    sample = np.random.default_rng(0).permutation(len(labels))[:SHARE_SAMPLE]
    likelihoods = [
        _log_likelihood(_log_sum(text[sample], image[sample], share), labels[sample]) for share in IMAGE_SHARES
    ]
    share = IMAGE_SHARES[int(np.argmax(likelihoods))]
    return Fusion(product, fit_pool([_log_sum(text, image, share)], labels, BIAS_PENALTY), share)


def _log_likelihood(scores: Floats, labels: NDArray[np.int64]) -> float:
    """The mean log likelihood of the labels under a pool of this score matrix alone."""
    probabilities = fit_pool([scores], labels, BIAS_PENALTY).probabilities([scores])
    return float(log_probabilities(probabilities)[np.arange(len(labels)), labels].mean())


def _log_sum(text: Floats, image: Floats, share: float) -> Floats:
    return log_probabilities(np.asarray((1 - share) * text + share * image, np.float32))


def _equal_weights(n_categories: int) -> Fusion:
    return Fusion(Pool(np.full(2, 0.7, np.float32), np.zeros(n_categories, np.float32)))
