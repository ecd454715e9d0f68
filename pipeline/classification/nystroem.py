"""How the vectors of several photo extractors become the one an estimator learns from.

A compact vector, such as a network's, is lifted: described by how like its signed square root, at length 1, is to those
of landmarks, photos of the catalogue, under a Gaussian kernel (the method of Nyström; Williams and Seeger 2001). The
root keeps a few loud maps from outshouting the rest (Hellinger's distance; Arandjelović and Zisserman, CVPR 2012). A
linear estimator on that is a kernel machine, whose cost stays that of the landmarks however many photos taught it. Wide
vectors, such as Fisher vectors, already are what a kernel would make of them. How wide a kernel is, and how much each
extractor weighs, is chosen by the held-out squared error of the training listings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.estimators import Floats, held_out_error
from pipeline.features.extractor import Matrix, State

COMPACT = 1_024  # columns up to which vectors are lifted
LANDMARKS = 800
SHARPNESS = (1.0, 2.0)  # of the kernel: in units of the median squared distance between photos
FAVOURED = 2.5  # how many times as much as the others an extractor weighs when it is tried as the better one
CHOOSING = 1_000  # photos that the choice is made on
_LEAST_SHARE = 1e-6  # of the largest eigenvalue, below which an axis is noise


@dataclass(frozen=True, slots=True)
class NystroemMap:
    """``landmarks`` (m, d), ``axes`` (m, r); similarity is ``exp(-gamma * squared distance)``.

    ``rooted``: of signed square roots, as the landmarks are; False in models of an earlier program.
    """

    landmarks: Floats
    axes: Floats
    gamma: float
    rooted: bool = True

    def __call__(self, vectors: Floats) -> Floats:
        """Unit vectors (n, d) to (n, r), whose inner products are the kernel's, as far as the landmarks can say."""
        vectors = signed_roots(vectors) if self.rooted else vectors
        likeness = _gaussian(vectors @ self.landmarks.T, self.gamma)
        return np.asarray(likeness @ self.axes, np.float32)


@dataclass(frozen=True, slots=True)
class FeatureJoin:
    """``scales`` by extractor, whose squares sum to 1, and ``lifts`` of those that are lifted."""

    scales: Mapping[str, float]
    lifts: Mapping[str, NystroemMap] = field(default_factory=dict)

    def __call__(self, vectors: Mapping[str, Matrix]) -> Floats:
        """Vectors (n, d) by extractor to one dense matrix; a row of zeros stays one."""
        parts = []
        for name, scale in self.scales.items():
            rows = np.asarray(vectors[name], np.float32)
            if name in self.lifts:
                rows = np.where(rows.any(axis=1, keepdims=True), self.lifts[name](rows), np.float32(0))
            parts.append(rows if scale == 1.0 else rows * np.float32(scale))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def columns(self, vectors: Mapping[str, Matrix]) -> dict[str, slice]:
        """Where in the one matrix each extractor's columns lie."""
        found, start = {}, 0
        for name in self.scales:
            width = self.lifts[name].axes.shape[1] if name in self.lifts else vectors[name].shape[1]
            found[name] = slice(start, start + width)
            start += width
        return found

    def state(self) -> State:
        """All that ``from_state`` needs."""
        # Lists: the order of the columns is that of the names, and JSON's objects are written in order of their keys.
        state: State = {"join": list(self.scales), "scales": list(self.scales.values())}
        state |= {"gammas": {name: lift.gamma for name, lift in self.lifts.items()}}
        state |= {"rooted": [name for name, lift in self.lifts.items() if lift.rooted]}
        for name, lift in self.lifts.items():
            state |= {f"landmarks_{name}": lift.landmarks, f"axes_{name}": lift.axes}
        return state

    @classmethod
    def from_state(cls, state: State) -> FeatureJoin | None:
        """The same again; None when the state has none."""
        if "join" not in state:
            return None
        lifts = {
            name: NystroemMap(
                state[f"landmarks_{name}"], state[f"axes_{name}"], float(gamma), name in state.get("rooted", ())
            )
            for name, gamma in state["gammas"].items()
        }
        return cls(dict(zip(state["join"], map(float, state["scales"]), strict=True)), lifts)


def fit_join(
    vectors: Mapping[str, Floats], labels: NDArray[np.int64], kinds: int, folds: NDArray[np.int64], seed: int = 0
) -> FeatureJoin:
    """Learn the landmarks from ``vectors``, unit vectors (n, d) by extractor; choose by the error over ``folds``."""
    count = len(labels)
    order = np.random.default_rng(seed).permutation(count)
    drawn = np.sort(order[:CHOOSING])
    grams: dict[str, NDArray[np.float64]] = {}
    gammas: dict[str, float] = {}
    for name, given in vectors.items():
        rows = signed_roots(given) if given.shape[1] <= COMPACT else given
        likeness = np.asarray(rows[drawn] @ rows[drawn].T, np.float64)
        tried: list[tuple[float, NDArray[np.float64]]] = [(0.0, likeness)]
        if rows.shape[1] <= COMPACT:
            apart = 2.0 - 2.0 * likeness[~np.eye(len(drawn), dtype=bool)]
            usual = max(float(np.median(apart)), 1e-6) if len(apart) else 1.0
            tried = [(sharp / usual, _gaussian(likeness, sharp / usual)) for sharp in SHARPNESS]
        best = 0
        if len(tried) > 1:
            best = int(np.argmin([held_out_error(gram, labels[drawn], kinds, folds[drawn]) for _, gram in tried]))
        gammas[name], grams[name] = tried[best]
    shares = _shares(list(vectors))
    if len(shares) > 1:
        errors = [
            held_out_error(
                np.sum([share * grams[name] for name, share in each.items()], axis=0),
                labels[drawn],
                kinds,
                folds[drawn],
            )
            for each in shares
        ]
        shares = [shares[int(np.argmin(errors))]]
    lifts = {
        name: _lift(signed_roots(vectors[name][np.sort(order[:LANDMARKS])]), gamma)
        for name, gamma in gammas.items()
        if gamma > 0
    }
    return FeatureJoin({name: float(np.sqrt(share)) for name, share in shares[0].items()}, lifts)


def _shares(names: list[str]) -> list[dict[str, float]]:
    """All alike first, then each extractor in its turn favoured."""
    if len(names) == 1:
        return [{names[0]: 1.0}]
    tried = [dict.fromkeys(names, 1.0)]
    tried += [{name: FAVOURED if name == favoured else 1.0 for name in names} for favoured in names]
    return [{name: weight / sum(each.values()) for name, weight in each.items()} for each in tried]


def signed_roots(vectors: Floats) -> Floats:
    """The signed square roots of unit vectors (n, d), at length 1 again."""
    rooted = np.copysign(np.sqrt(np.abs(vectors)), vectors)
    return np.asarray(rooted / np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-9), np.float32)


def _lift(landmarks: Floats, gamma: float) -> NystroemMap:
    likeness = _gaussian(np.asarray(landmarks @ landmarks.T, np.float64), gamma)
    values, vectors = np.linalg.eigh(likeness)
    kept = values > _LEAST_SHARE * values[-1]
    axes = vectors[:, kept] / np.sqrt(values[kept])
    return NystroemMap(np.ascontiguousarray(landmarks, np.float32), np.asarray(axes, np.float32), gamma)


def _gaussian(likeness: NDArray[Any], gamma: float) -> NDArray[Any]:
    """Of the inner products of unit vectors, in their own precision."""
    found: NDArray[Any] = np.exp(gamma * (2.0 * likeness - 2.0))
    return found
