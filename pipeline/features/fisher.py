"""Fisher vectors of dense local descriptors: the built-in photo model, which needs no downloaded weights.

Shape (dense SIFT) and colour each get a PCA, a diagonal Gaussian mixture with the place in the photo as two more
columns, and an improved Fisher vector: signed square root, then unit length (Perronnin, Sánchez, Mensink, ECCV 2010).
A photo counts together with its mirror image, whose descriptors are a permutation of its own: a shoe pointing left is a
shoe. Beside them stands the layout of the whole photo: edges and tones on a coarse grid, and its proportions.
All of it is of the photo without its empty margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.features import patches
from pipeline.features.extractor import Photo, State, Vectors
from pipeline.features.framing import trimmed
from pipeline.features.mixture import Floats, Mixture, Projection, fit_mixture, fit_projection
from pipeline.features.settings import Settings, check_state

_PARTS = {"shape": slice(0, patches.SHAPE), "colour": slice(patches.SHAPE, patches.SHAPE + patches.COLOUR)}
_KEPT = {"shape": 64, "colour": 24}
_WEIGHTS = {"shape": 1.0, "colour": 0.6}
# Tones weigh little: the colours of a thing and of what it lies on say less than its outline about what it is.
_LAYOUT_WEIGHTS = {"edges": 0.45, "tones": 0.2}
_MOST_EACH = 200  # descriptors of one photo in the sample
_PLACE_SPREAD = 2.0  # how far apart, in units of a whitened column, the two borders of a photo lie


class Fisher(Settings):
    """Photos to unit vectors of ``2 * components * (64 + 24 + 2 * 2)`` numbers and the layout.

    ``side`` in pixels is the longest side descriptors are taken at, ``bins`` the widths of a spatial bin, ``step`` the
    distance of patches. ``sample`` bounds the descriptors that ``fit`` looks at, and with them its time and memory.
    Learns ``projections_``, ``mixtures_`` and ``mean_layout_``.
    """

    version: ClassVar[int] = 2

    def __init__(
        self,
        components: int = 64,
        side: int = 256,
        bins: tuple[int, ...] = (4, 8, 16),
        step: int = 8,
        sample: int = 40_000,
        rounds: int = 10,
        seed: int = 0,
    ) -> None:
        self.components = components
        self.side = side
        self.bins = bins
        self.step = step
        self.sample = sample
        self.rounds = rounds
        self.seed = seed

    def describe(self, photos: Sequence[Photo]) -> list[NDArray[np.uint8]]:
        """Layout and local descriptors of each photo without its margin, as ``patches.describe`` gives them."""
        if cv2.getNumThreads() != 1:
            cv2.setNumThreads(1)  # photos this small are not worth sharing between threads, which then wait
        return [patches.describe(trimmed(photo), self.side, tuple(self.bins), self.step) for photo in photos]

    def fit(self, photos: Sequence[Photo]) -> Self:
        """Learn projections and mixtures from the photos' descriptors."""
        return self.fit_described(self.describe(photos))

    def fit_described(self, described: Sequence[NDArray[np.uint8]]) -> Self:
        """The same from descriptors already computed."""
        rng = np.random.default_rng(self.seed)
        local = [rows[patches.LAYOUT_ROWS :] for rows in described if len(rows) > patches.LAYOUT_ROWS]
        each = int(np.clip(self.sample // max(len(local), 1), 20, _MOST_EACH))
        drawn = [rows[rng.choice(len(rows), min(len(rows), each), replace=False)] for rows in local]
        pool = np.concatenate(drawn) if drawn else np.zeros((1, patches.COLUMNS), np.uint8)
        if len(pool) > self.sample:
            pool = pool[rng.choice(len(pool), self.sample, replace=False)]
        layouts = [_layout(rows) for rows in described]
        self.mean_layout_ = {part: np.mean([each[part] for each in layouts], axis=0) for part in _LAYOUT_WEIGHTS}
        self.projections_: dict[str, Projection] = {}
        self.mixtures_: dict[str, Mixture] = {}
        pool = np.concatenate([pool, patches.mirrored(pool)])
        for part, columns in _PARTS.items():
            self.projections_[part] = fit_projection(pool[:, columns].astype(np.float32), _KEPT[part])
            self.mixtures_[part] = fit_mixture(self._projected(part, pool), self.components, self.rounds, rng)
        return self

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        """float32, shape (n, d)."""
        return self.transform_described(self.describe(photos))

    def transform_described(self, described: Sequence[NDArray[np.uint8]]) -> Vectors:
        """The same from descriptors already computed."""
        width = sum(2 * mixture.means.size for mixture in self.mixtures_.values())
        width += sum(mean.size for mean in self.mean_layout_.values())
        vectors = np.zeros((len(described), width), np.float32)
        for row, rows in zip(vectors, described, strict=True):
            row[:] = self._vector(rows)
        return vectors

    def fit_transform(self, photos: Sequence[Photo]) -> Vectors:
        """``fit`` and ``transform`` of the same photos."""
        described = self.describe(photos)
        return self.fit_described(described).transform_described(described)

    def state(self) -> State:
        """Settings as JSON, projections and mixtures as arrays."""
        state: State = {"kind": "fisher", "version": self.version, "settings": self.get_params()}
        for part in _PARTS:
            projection, mixture = self.projections_[part], self.mixtures_[part]
            state |= {f"{part}_centre": projection.centre, f"{part}_axes": projection.axes}
            state |= {f"{part}_weights": mixture.weights, f"{part}_means": mixture.means}
            state[f"{part}_variances"] = mixture.variances
        return state | {f"{part}_mean": mean for part, mean in self.mean_layout_.items()}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The fitted extractor again; BadArtefact for the state of another one."""
        check_state(state, "fisher", cls.version)
        extractor = cls(**{**state["settings"], "bins": tuple(state["settings"]["bins"])})
        extractor.mean_layout_ = {p: state[f"{p}_mean"] for p in _LAYOUT_WEIGHTS}
        extractor.projections_ = {p: Projection(state[f"{p}_centre"], state[f"{p}_axes"]) for p in _PARTS}
        extractor.mixtures_ = {
            p: Mixture(state[f"{p}_weights"], state[f"{p}_means"], state[f"{p}_variances"]) for p in _PARTS
        }
        return extractor

    def _projected(self, part: str, rows: NDArray[np.uint8]) -> Floats:
        values = self.projections_[part](rows[:, _PARTS[part]].astype(np.float32))
        place = (rows[:, -patches.PLACE :].astype(np.float32) / 255.0 - 0.5) * _PLACE_SPREAD
        return np.concatenate([values, place], axis=1)

    def _vector(self, rows: NDArray[np.uint8]) -> Floats:
        local = rows[patches.LAYOUT_ROWS :]
        both = np.concatenate([local, patches.mirrored(local)])
        parts = []
        for part, weight in _WEIGHTS.items():
            raw = self.mixtures_[part].fisher_vector(self._projected(part, both))
            parts.append(weight * _unit(np.sign(raw) * np.sqrt(np.abs(raw))))
        whole = _layout(rows)
        for part, weight in _LAYOUT_WEIGHTS.items():
            parts.append(weight * _unit(whole[part] - self.mean_layout_[part]))
        return _unit(np.concatenate(parts))


def _layout(rows: NDArray[np.uint8]) -> dict[str, Floats]:
    """``edges`` and ``tones`` (with the proportions), each on a scale of its own, from the first rows described."""
    flat = rows[: patches.LAYOUT_ROWS].ravel().astype(np.float32)
    edges, tones = flat[: patches.EDGES], flat[patches.EDGES : patches.EDGES + patches.TONES].reshape(-1, 3)
    proportions = (flat[patches.EDGES + patches.TONES] - 128.0) / 40.0
    coloured = ((tones - (0.0, 128.0, 128.0)) / (127.5, 40.0, 40.0)).ravel()
    return {"edges": edges / np.float32(512.0), "tones": np.append(coloured, 5.5 * proportions).astype(np.float32)}


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)
