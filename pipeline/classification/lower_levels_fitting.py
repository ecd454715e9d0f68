"""Fit the estimators of the classes below the main level, and the slopes that turn their scores into probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, issparse

from pipeline.classification.estimators import IMAGE_PENALTIES, PENALTIES, fit_ridge
from pipeline.classification.evidence_views import EvidenceFeatures
from pipeline.classification.lower_levels import ClassEstimator, LowerCase, LowerLevels, class_vectors
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.targets import ClassTargets, Targets
from pipeline.features.extractor import Floats, Mask, Matrix

MAX_WEIGHTS = 4_000_000  # of one text extractor: 32 MB; of more, the smallest are dropped
MAX_SLOPE_LISTINGS = 3_000  # a slope or two need no more
_MIN_SLOPE_LISTINGS = 10
_SLOPE_BOUNDS = (-3.0, 4.5)  # of the logarithms
_USUAL_LOG_SLOPE, _SLOPE_PENALTY = 1.5, 2.0  # so that a few separable listings do not lead to high confidence


@dataclass(frozen=True, slots=True)
class ClassFit:
    """Estimators of the classes by extractor, and their ``held_out`` scores, a matrix (n, classes) each.

    The scores of a listing for the classes of its own category are held out over the folds; the estimators of other
    categories were not trained on it. ``usable`` (n,) marks the listings with the evidence.
    """

    estimators: Mapping[str, ClassEstimator]
    held_out: Sequence[Floats]
    usable: Mask


def fit_classes(model: ModalityModel | None, features: EvidenceFeatures, targets: Targets) -> ClassFit | None:
    """Fit an estimator for each main category that has several classes; None without a model or classes."""
    classes = targets.classes
    if model is None or classes is None:
        return None
    usable = features.usable
    penalties = PENALTIES if model.join is None else IMAGE_PENALTIES
    estimators, held_out = {}, []
    for name, vectors in class_vectors(model, features).items():
        fit = _fit_classes_of_extractor(vectors, usable, targets, classes, penalties)
        estimators[name] = fit.estimator
        held_out.append(fit.held_out)
    return ClassFit(estimators, held_out, usable)


def fit_lower_levels(classes: ClassTargets, text: ClassFit | None, image: ClassFit | None) -> LowerLevels:
    """Fit the slopes of text, image and both on held-out scores by the likelihood of each listing's class."""
    fits = {LowerCase.TEXT: text, LowerCase.IMAGE: image}
    slopes: dict[LowerCase, Floats] = {}
    for case, fit in fits.items():
        if fit is not None:
            fitted = fit_slopes(fit.held_out, fit.usable, classes)
            slopes |= {case: fitted} if fitted is not None else {}
    if text is not None and image is not None:
        fitted = fit_slopes([*text.held_out, *image.held_out], text.usable & image.usable, classes)
        slopes |= {LowerCase.BOTH: fitted} if fitted is not None else {}
    estimators = {case: fit.estimators for case, fit in fits.items() if fit is not None and case in slopes}
    if not {LowerCase.TEXT, LowerCase.IMAGE} <= set(estimators):
        slopes.pop(LowerCase.BOTH, None)
    return LowerLevels(classes.parents, classes.priors(), estimators, slopes)


def fit_slopes(score_matrices: Sequence[Floats], usable: Mask, classes: ClassTargets) -> Floats | None:
    """One positive slope per score matrix (n, classes), by penalised likelihood; None with too few listings.

    Only the classes of a listing's own category count, and only listings whose category has several.
    """
    from scipy.optimize import minimize  # only training needs the optimiser

    n_siblings = np.bincount(classes.parents)
    parents = classes.parents[classes.labels]
    rows = np.flatnonzero(usable & (n_siblings[parents] > 1))
    if len(rows) < _MIN_SLOPE_LISTINGS:
        return None
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:MAX_SLOPE_LISTINGS])
    is_sibling = classes.parents[None, :] == parents[rows][:, None]
    stacked = np.stack([np.asarray(scores[rows], np.float64) for scores in score_matrices])
    own = stacked[:, np.arange(len(rows)), classes.labels[rows]]

    def penalised_loss(log_slopes: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slopes = np.exp(log_slopes)
        logits = np.where(is_sibling, np.tensordot(slopes, stacked, axes=1), -np.inf)
        highest = logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits - highest)
        total = exponentials.sum(axis=1, keepdims=True)
        log_likelihood = slopes @ own - (highest + np.log(total))[:, 0]
        expected = np.array([(exponentials / total * scores).sum() for scores in stacked])
        from_usual = log_slopes - _USUAL_LOG_SLOPE
        loss = 0.5 * _SLOPE_PENALTY * float(from_usual @ from_usual) - float(log_likelihood.sum())
        return loss, (expected - own.sum(axis=1)) * slopes + _SLOPE_PENALTY * from_usual

    result = minimize(
        penalised_loss,
        np.full(len(stacked), _USUAL_LOG_SLOPE),
        jac=True,
        method="L-BFGS-B",
        bounds=[_SLOPE_BOUNDS] * len(stacked),
    )
    return np.asarray(np.exp(result.x), np.float32)


@dataclass(frozen=True, slots=True)
class _FittedClasses:
    estimator: ClassEstimator
    held_out: Floats


def _fit_classes_of_extractor(
    vectors: Matrix, usable: Mask, targets: Targets, classes: ClassTargets, penalties: Sequence[float]
) -> _FittedClasses:
    n_listings, width = vectors.shape
    sparse = issparse(vectors)
    weights: dict[int, Matrix] = {}
    intercept = np.zeros(len(classes.parents), np.float32)
    held_out = np.zeros((n_listings, len(classes.parents)), np.float32)
    for category in range(targets.n_categories):
        siblings = np.flatnonzero(classes.parents == category)
        rows = np.flatnonzero(usable & (targets.labels == category))
        local = np.searchsorted(siblings, classes.labels[rows])
        if len(np.unique(local)) < 2:
            continue
        fit = fit_ridge(vectors[rows], Targets(local, len(siblings), targets.folds[rows]), penalties)
        held_out[:, siblings] = fit.estimator.scores(vectors)
        held_out[np.ix_(rows, siblings)] = fit.held_out
        weights |= {
            int(index): csr_matrix(column[:, None]) if sparse else column[:, None]
            for index, column in zip(siblings, fit.estimator.weights.T, strict=True)
        }
        intercept[siblings] = fit.estimator.intercept
    empty = csr_matrix((width, 1), dtype=np.float32) if sparse else np.zeros((width, 1), np.float32)
    columns = [weights.get(index, empty) for index in range(len(classes.parents))]
    joined = _without_smallest(hstack(columns, format="csr")) if sparse else np.concatenate(columns, axis=1)
    return _FittedClasses(ClassEstimator(joined, intercept), held_out)


def _without_smallest(weights: csr_matrix) -> csr_matrix:
    """The weights without the smallest ones beyond MAX_WEIGHTS."""
    if weights.nnz > MAX_WEIGHTS:
        least = np.partition(np.abs(weights.data), weights.nnz - MAX_WEIGHTS)[weights.nnz - MAX_WEIGHTS]
        weights.data[np.abs(weights.data) < least] = 0.0
        weights.eliminate_zeros()
    return weights.astype(np.float32)
