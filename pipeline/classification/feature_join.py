"""Join the vectors of photo extractors into the one matrix that an estimator is fitted on.

A compact vector, such as that of a network, is mapped by the Nyström method (Williams and Seeger 2001): the normalised
signed square root is compared with those of landmark photos of the catalogue by a Gaussian kernel, and the similarities
are projected on the kernel's axes. The root keeps a few large components from outweighing the rest (Hellinger's
distance; Arandjelović and Zisserman, CVPR 2012). A linear estimator on such a map is a kernel machine whose cost
depends on the number of landmarks, not of photos. Wide vectors, such as Fisher vectors, are already an explicit kernel
map and stay as they are. The width of each kernel and the weight of each extractor are chosen by the held-out squared
error of the training listings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.estimators import held_out_error
from pipeline.classification.targets import Targets
from pipeline.features.extractor import Floats, Mask, Matrix, State

MAX_MAPPED_COLUMNS = 2_048  # columns up to which vectors are mapped
LANDMARKS = 800
RELATIVE_GAMMAS = (1.0, 2.0)  # of the kernel, in units of the median squared distance between photos
WEIGHT_RATIO = 2.5  # weight of the favoured extractor, relative to each of the others
MAX_SELECTION_PHOTOS = 1_000  # photos that kernels and weights are chosen on
_MIN_EIGENVALUE_SHARE = 1e-6  # of the largest eigenvalue, below which an axis is noise


@dataclass(frozen=True, slots=True)
class NystroemMap:
    """A kernel map by ``landmarks`` (m, d) and ``axes`` (m, r); the kernel is ``exp(-gamma * squared distance)``.

    ``rooted``: whether inputs are replaced by their signed square roots, as the landmarks are; False in models of
    earlier versions.
    """

    landmarks: Floats
    axes: Floats
    gamma: float
    rooted: bool = True

    def __call__(self, vectors: Floats) -> Floats:
        """Map unit vectors (n, d) to (n, r), whose inner products approximate the kernel."""
        vectors = signed_roots(vectors) if self.rooted else vectors
        similarity = _gaussian(vectors @ self.landmarks.T, self.gamma)
        return np.asarray(similarity @ self.axes, np.float32)


@dataclass(frozen=True, slots=True)
class FeatureJoin:
    """Scales and concatenates features: ``scales`` by extractor, whose squares sum to 1; ``maps`` of compact ones."""

    scales: Mapping[str, float]
    maps: Mapping[str, NystroemMap] = field(default_factory=dict)

    def __call__(self, vectors: Mapping[str, Matrix]) -> Floats:
        """Vectors (n, d) by extractor to one dense matrix; rows of zeros stay zero."""
        blocks = []
        for name, scale in self.scales.items():
            rows = np.asarray(vectors[name], np.float32)
            if name in self.maps:
                rows = np.where(rows.any(axis=1, keepdims=True), self.maps[name](rows), np.float32(0))
            blocks.append(rows if scale == 1.0 else rows * np.float32(scale))
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)

    def columns(self, vectors: Mapping[str, Matrix]) -> dict[str, slice]:
        """The columns of each extractor in the joined matrix."""
        columns, start = {}, 0
        for name in self.scales:
            width = self.maps[name].axes.shape[1] if name in self.maps else vectors[name].shape[1]
            columns[name] = slice(start, start + width)
            start += width
        return columns

    def state(self) -> State:
        """Everything that ``from_state`` needs."""
        # Lists, because the columns are in the order of the names, while JSON objects are written sorted by key.
        state: State = {"join": list(self.scales), "scales": list(self.scales.values())}
        state |= {"gammas": {name: kernel_map.gamma for name, kernel_map in self.maps.items()}}
        state |= {"rooted": [name for name, kernel_map in self.maps.items() if kernel_map.rooted]}
        for name, kernel_map in self.maps.items():
            state |= {f"landmarks_{name}": kernel_map.landmarks, f"axes_{name}": kernel_map.axes}
        return state

    @classmethod
    def from_state(cls, state: State) -> FeatureJoin | None:
        """Restore from ``state``; None when it contains no join."""
        if "join" not in state:
            return None
        rooted = state.get("rooted", ())
        maps = {
            name: NystroemMap(state[f"landmarks_{name}"], state[f"axes_{name}"], float(gamma), name in rooted)
            for name, gamma in state["gammas"].items()
        }
        return cls(dict(zip(state["join"], map(float, state["scales"]), strict=True)), maps)


class _Candidate(NamedTuple):
    """A candidate kernel: its ``gamma``, 0 for the plain inner product, and its Gram matrix on the sample."""

    gamma: float
    gram: NDArray[np.float64]


def fit_join(vectors: Mapping[str, Floats], targets: Targets, seed: int = 0) -> FeatureJoin:
    """Draw the landmarks from ``vectors``, unit vectors (n, d) by extractor; choose kernels and weights held out."""
    order = np.random.default_rng(seed).permutation(len(targets.labels))
    sample = np.zeros(len(order), bool)
    sample[order[:MAX_SELECTION_PHOTOS]] = True
    sample_targets = targets.subset(sample)
    kernels = {name: _choose_kernel(rows, sample, sample_targets) for name, rows in vectors.items()}
    weights = _choose_weights({name: kernel.gram for name, kernel in kernels.items()}, sample_targets)
    landmarks = np.sort(order[:LANDMARKS])
    maps = {
        name: _fit_map(signed_roots(vectors[name][landmarks]), kernel.gamma)
        for name, kernel in kernels.items()
        if kernel.gamma > 0
    }
    return FeatureJoin({name: float(np.sqrt(weight)) for name, weight in weights.items()}, maps)


def _choose_kernel(vectors: Floats, sample: Mask, targets: Targets) -> _Candidate:
    """The best of RELATIVE_GAMMAS for compact vectors (n, d), the plain inner product for wide ones."""
    compact = vectors.shape[1] <= MAX_MAPPED_COLUMNS
    rows = signed_roots(vectors) if compact else vectors
    similarity = np.asarray(rows[sample] @ rows[sample].T, np.float64)
    if not compact:
        return _Candidate(0.0, similarity)
    distances = 2.0 - 2.0 * similarity[~np.eye(len(similarity), dtype=bool)]
    median = max(float(np.median(distances)), 1e-6) if len(distances) else 1.0
    gammas = [relative_gamma / median for relative_gamma in RELATIVE_GAMMAS]
    candidates = [_Candidate(gamma, _gaussian(similarity, gamma)) for gamma in gammas]
    return candidates[int(np.argmin([held_out_error(candidate.gram, targets) for candidate in candidates]))]


def _choose_weights(grams: Mapping[str, NDArray[np.float64]], targets: Targets) -> dict[str, float]:
    """The best weights of the extractors, which sum to 1."""
    candidates = _weightings(list(grams))
    if len(candidates) == 1:
        return candidates[0]
    errors = [
        held_out_error(np.sum([weight * grams[name] for name, weight in weights.items()], axis=0), targets)
        for weights in candidates
    ]
    return candidates[int(np.argmin(errors))]


def _weightings(names: list[str]) -> list[dict[str, float]]:
    """Equal weights first, then each extractor favoured in turn."""
    if len(names) == 1:
        return [{names[0]: 1.0}]
    candidates = [dict.fromkeys(names, 1.0)]
    candidates += [{name: WEIGHT_RATIO if name == favoured else 1.0 for name in names} for favoured in names]
    return [{name: weight / sum(weights.values()) for name, weight in weights.items()} for weights in candidates]


def signed_roots(vectors: Floats) -> Floats:
    """The signed square roots of unit vectors (n, d), normalised to length 1."""
    rooted = np.copysign(np.sqrt(np.abs(vectors)), vectors)
    return np.asarray(rooted / np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-9), np.float32)


def _fit_map(landmarks: Floats, gamma: float) -> NystroemMap:
    similarity = _gaussian(np.asarray(landmarks @ landmarks.T, np.float64), gamma)
    values, vectors = np.linalg.eigh(similarity)
    is_significant = values > _MIN_EIGENVALUE_SHARE * values[-1]
    axes = vectors[:, is_significant] / np.sqrt(values[is_significant])
    return NystroemMap(np.ascontiguousarray(landmarks, np.float32), np.asarray(axes, np.float32), gamma)


def _gaussian(inner_products: NDArray[Any], gamma: float) -> NDArray[Any]:
    """The Gaussian kernel from inner products of unit vectors, in their dtype."""
    kernel: NDArray[Any] = np.exp(gamma * (2.0 * inner_products - 2.0))
    return kernel
