"""LowerLevels: the probabilities of the classes below the categories of a model's main level.

The main level has the estimators, calibration and fusion of a model of that level alone, so its figures do not change.
Below each of its categories, ridge estimators fitted on the listings of that category tell its classes apart, as in a
local classifier per parent node (Silla & Freitas 2011, "A survey of hierarchical classification"). The probability of a
class is that of its category times that of the class given the category.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse

from pipeline.classification.evidence_views import EvidenceFeatures
from pipeline.classification.modality_model import ModalityModel
from pipeline.features.extractor import Floats, Mask, Matrix, State

JOINED = "joined"  # name of the vectors of several extractors, joined


class LowerCase(StrEnum):
    """The evidence that the classes below are told apart by."""

    TEXT = "text"
    IMAGE = "image"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class ClassEstimator:
    """A linear map of the vectors of one extractor: ``weights`` (d, classes), sparse for texts, and ``intercept``."""

    weights: Matrix
    intercept: Floats

    def scores(self, vectors: Matrix) -> Floats:
        """Scores (n, classes)."""
        product = vectors @ self.weights
        return np.asarray((product.toarray() if issparse(product) else product) + self.intercept, np.float32)


@dataclass(frozen=True, slots=True)
class LowerLevels:
    """``parents`` (classes,) are indices of main categories; ``estimators`` are by case (text, image) and extractor.

    ``priors`` (classes,) are shares of the training listings of their category. ``slopes``, by case, weight the scores:
    of the text's estimators, then of the image's.
    """

    parents: NDArray[np.int64]
    priors: Floats
    estimators: Mapping[LowerCase, Mapping[str, ClassEstimator]]
    slopes: Mapping[LowerCase, Floats]

    def score(self, case: LowerCase, model: ModalityModel | None, features: EvidenceFeatures) -> list[Floats]:
        """The score matrices (n, classes) of one modality; none where it says nothing about the classes."""
        if model is None or case not in self.estimators:
            return []
        vectors = class_vectors(model, features)
        if any(name not in vectors for name in self.estimators[case]):
            return []
        return [_known_scores(estimator, vectors[name]) for name, estimator in self.estimators[case].items()]

    def conditional(self, case: LowerCase, score_matrices: Sequence[Floats]) -> Floats:
        """The probability of each class given its main category, (n, classes)."""
        logits = sum(slope * scores for slope, scores in zip(self.slopes[case], score_matrices, strict=True))
        return softmax_by_parent(np.asarray(logits, np.float32), self.parents)

    def class_probabilities(self, case: LowerCase, main: Floats, score_matrices: Sequence[Floats]) -> Floats:
        """Probabilities (n, classes) from those of the main categories, (n, categories); without scores by priors."""
        shares = self.conditional(case, score_matrices) if score_matrices and case in self.slopes else self.priors
        return np.asarray(main[:, self.parents] * shares, np.float32)

    def fused_class_probabilities(
        self, fused: Floats, text: Sequence[Floats], image: Sequence[Floats], has_text: Mask, has_image: Mask
    ) -> Floats:
        """Probabilities (n, classes) by all the evidence of each listing; ``text`` and ``image`` are their scores."""
        matrices = {LowerCase.TEXT: text, LowerCase.IMAGE: image, LowerCase.BOTH: (*text, *image)}
        result = np.zeros((len(fused), len(self.parents)), np.float32)
        for mask, cases in (
            (has_text & ~has_image, (LowerCase.TEXT,)),
            (has_image & ~has_text, (LowerCase.IMAGE,)),
            (has_text & has_image, (LowerCase.BOTH, LowerCase.TEXT, LowerCase.IMAGE)),
        ):
            if mask.any():
                case = next((case for case in cases if case in self.slopes and matrices[case]), cases[0])
                scores = [matrix[mask] for matrix in matrices[case]] if case in self.slopes else []
                result[mask] = self.class_probabilities(case, fused[mask], scores)
        return result

    def state(self) -> State:
        """Everything that ``from_state`` needs."""
        state: State = {
            "parents": self.parents,
            "priors": self.priors,
            "estimators": {case: list(by_extractor) for case, by_extractor in self.estimators.items()},
            "slopes": {case: [float(slope) for slope in slopes] for case, slopes in self.slopes.items()},
            "sparse": [],
        }
        for case, by_extractor in self.estimators.items():
            for name, estimator in by_extractor.items():
                key = f"{case}_{name}"
                state[f"{key}_intercept"] = estimator.intercept
                if issparse(estimator.weights):
                    weights = estimator.weights.tocsr()
                    state["sparse"].append(key)
                    state[f"{key}_shape"] = list(weights.shape)
                    state |= {f"{key}_{part}": getattr(weights, part) for part in ("data", "indices", "indptr")}
                else:
                    state[f"{key}_weights"] = estimator.weights
        return state

    @classmethod
    def from_state(cls, state: State) -> LowerLevels:
        """Restore from ``state``; KeyError when an entry is missing."""
        estimators = {
            LowerCase(case): {name: _estimator(f"{case}_{name}", state) for name in names}
            for case, names in state["estimators"].items()
        }
        slopes = {LowerCase(case): np.array(values, np.float32) for case, values in state["slopes"].items()}
        return cls(state["parents"], state["priors"], estimators, slopes)


def _known_scores(estimator: ClassEstimator, vectors: Matrix) -> Floats:
    """The scores (n, classes); zeros for a listing of which the extractor knows nothing, instead of the intercept."""
    terms = np.diff(vectors.tocsr().indptr) if issparse(vectors) else np.count_nonzero(vectors, axis=1)
    known = np.asarray(terms) > 0
    return np.where(known[:, None], estimator.scores(vectors), np.float32(0))


def class_vectors(model: ModalityModel, features: EvidenceFeatures) -> dict[str, Matrix]:
    """The vectors (n, d) that classes are told apart by: joined, or one matrix for each extractor of a text."""
    vectors: Mapping[str, Any] = features.whole_vectors
    if model.join is None:
        return dict(vectors)
    return {JOINED: model.join(vectors)} if all(name in vectors for name in model.join.scales) else {}


def softmax_by_parent(logits: Floats, parents: NDArray[np.int64]) -> Floats:
    """Probabilities (n, classes) that sum to 1 over the classes of each parent, from logits of that shape."""
    order = np.argsort(parents, kind="stable")
    starts = np.searchsorted(parents[order], np.arange(parents.max() + 1))
    ordered = logits[:, order]
    groups = parents[order]
    exponentials = np.exp(ordered - np.maximum.reduceat(ordered, starts, axis=1)[:, groups])
    shares = exponentials / np.add.reduceat(exponentials, starts, axis=1)[:, groups]
    result = np.empty_like(logits)
    result[:, order] = shares
    return result


def _estimator(key: str, state: State) -> ClassEstimator:
    intercept = state[f"{key}_intercept"]
    if key not in state["sparse"]:
        return ClassEstimator(state[f"{key}_weights"], intercept)
    parts = (state[f"{key}_data"], state[f"{key}_indices"], state[f"{key}_indptr"])
    return ClassEstimator(csr_matrix(parts, shape=tuple(state[f"{key}_shape"])), intercept)
