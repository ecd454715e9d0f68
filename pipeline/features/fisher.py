"""Fisher vectors of dense local descriptors: the built-in photo extractor, which needs no downloaded weights.

Shape (dense root-SIFT) and colour each get a PCA, a diagonal Gaussian mixture with the position in the photo as two
more columns, and an improved Fisher vector: signed square root, then unit length (Perronnin, Sánchez, Mensink, ECCV
2010). Each photo is encoded together with its mirror image: a shoe pointing left is a shoe. The layout of the whole
photo is added: edges and tones on a coarse grid, and its proportions. The empty margin of the photo is trimmed first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.features import dense_descriptors
from pipeline.features.dense_descriptors import PLACE, PhotoDescriptors, Rows
from pipeline.features.extractor import ExtractorSettings, Floats, Photo, State, Vectors, check_state
from pipeline.features.gaussian_mixture import GaussianMixture, fit_mixture, improve_mixture
from pipeline.features.trim_and_scale import trim_margin

# By part: number of axes of the projection, mirrored columns, and the share of ``pairs``.
_PARTS = {"shape": (64, dense_descriptors.SHAPE_MIRROR, 1.0), "colour": (24, dense_descriptors.COLOUR_MIRROR, 1.0)}
_WEIGHTS = {"shape": 1.0, "colour": 0.6}
# Tones have little weight: the colours of a product and its background say less about its category than its outline.
_LAYOUT_WEIGHTS = {"edges": 0.45, "tones": 0.2}
_MIN_DESCRIPTORS_TO_REFIT = 100
_MAX_DESCRIPTORS_PER_PHOTO = 200  # in the sample that is fitted on
_MIN_VARIANCE = 1e-8
_PLACE_SPREAD = 3.0  # distance between opposite borders of a photo, in units of a whitened column
_PLACE_SIGNS = np.array([-1.0, 1.0], np.float32)  # mirroring negates x only
_MIN_GAIN = 2.0  # nats per descriptor: other photos of the same catalogue gained under 1, of another over 2.3
_REFIT_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Projection:
    """A PCA: ``offset`` (r,), ``axes`` (columns, r), ``signs`` (r,); projected columns have unit variance.

    The projection of a mirrored descriptor is ``signs`` times that of the original.
    """

    offset: Floats
    axes: Floats
    signs: Floats

    def __call__(self, rows: NDArray[np.uint8]) -> Floats:
        """Project rows (n, columns) to (n, r)."""
        projected: Floats = rows.astype(np.float32) @ self.axes
        projected -= self.offset
        return projected


def fit_projection(rows: NDArray[np.uint8], n_axes: int, mirror: NDArray[np.int64]) -> Projection:
    """The first ``n_axes`` principal axes of the rows, (n, columns), together with their mirror images.

    ``mirror`` gives, for each column, the column it becomes by mirroring. Symmetric and antisymmetric combinations of
    columns are uncorrelated, so their axes are computed separately, and each axis is of one kind.
    """
    values = rows.astype(np.float32)
    mean = values.mean(axis=0).astype(np.float64)
    mean = (mean + mean[mirror]) / 2
    centred = values - mean.astype(np.float32)
    covariance = (centred.T @ centred).astype(np.float64) / max(len(rows) - 1, 1)
    covariance = (covariance + covariance[np.ix_(mirror, mirror)]) / 2
    variance_parts, axis_parts, sign_parts = [], [], []
    for sign, basis in zip((1.0, -1.0), _bases(mirror), strict=True):
        eigenvalues, vectors = np.linalg.eigh(basis.T @ covariance @ basis)
        variance_parts.append(eigenvalues)
        axis_parts.append(basis @ vectors)
        sign_parts.append(np.full(len(eigenvalues), sign, np.float32))
    variances, signs = np.concatenate(variance_parts), np.concatenate(sign_parts)
    axes = np.concatenate(axis_parts, axis=1)
    order = np.argsort(variances)[::-1][:n_axes]
    axes, variances = axes[:, order], np.maximum(variances[order], _MIN_VARIANCE)
    # Fixing the sign makes the axes independent of the linear algebra library.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(order))]) / np.sqrt(variances)
    return Projection((mean @ axes).astype(np.float32), axes.astype(np.float32), signs[order])


def _bases(mirror: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Orthonormal bases of symmetric and antisymmetric columns: mirroring keeps the former and negates the latter."""
    unit = np.eye(len(mirror))
    paired = np.flatnonzero(np.arange(len(mirror)) < mirror)
    self_mirrored = np.flatnonzero(np.arange(len(mirror)) == mirror)
    symmetric = (unit[:, paired] + unit[:, mirror[paired]]) * np.sqrt(0.5)
    antisymmetric = (unit[:, paired] - unit[:, mirror[paired]]) * np.sqrt(0.5)
    return np.concatenate([symmetric, unit[:, self_mirrored]], axis=1), antisymmetric


@dataclass(frozen=True, slots=True)
class FisherVocabulary:
    """The vocabulary of one kind of local descriptor: a projection, and a Gaussian mixture of projected descriptors.

    Both take mirror images into account. The position of a descriptor in the photo is two more columns of the mixture.
    """

    projection: Projection
    mixture: GaussianMixture

    @classmethod
    def fit(
        cls,
        rows: NDArray[np.uint8],
        n_axes: int,
        mirror: NDArray[np.int64],
        pairs: int,
        rounds: int,
        rng: np.random.Generator,
    ) -> Self:
        """Learn from rows of shape (n, columns + PLACE); see ``fit_projection`` and ``fit_mixture``."""
        projection = fit_projection(rows[:, :-PLACE], n_axes, mirror)
        projected = _project_with_place(projection, rows)
        signs = np.concatenate([projection.signs, _PLACE_SIGNS])
        return cls(projection, fit_mixture(projected, pairs, rounds, signs, rng))

    def vector(self, rows: NDArray[np.uint8]) -> Floats:
        """The improved Fisher vector, of unit length, of rows of shape (n, columns + PLACE); zeros if none."""
        gradients = self.mixture.fisher_vector(_project_with_place(self.projection, rows))
        rooted = np.sqrt(np.abs(gradients))
        components = np.copysign(rooted, gradients, out=rooted).reshape(len(self.mixture.weights), -1)
        # Half way to components of equal length (Arandjelović and Zisserman, CVPR 2013), so that none dominates.
        scales = np.sqrt(np.linalg.norm(components, axis=1, keepdims=True))
        return unit((components / np.maximum(scales, 1e-6)).ravel())

    def refitted(self, rows: NDArray[np.uint8]) -> Self:
        """This vocabulary if it describes the rows well enough, else one with a mixture improved in a few more rounds.

        The gain is measured on half of the rows, with a mixture improved on the other half, in nats per descriptor. The
        projection is kept in either case.
        """
        projected = _project_with_place(self.projection, rows)
        train, test = projected[::2], projected[1::2]
        candidate = improve_mixture(self.mixture, train, _REFIT_ROUNDS)
        if candidate.log_likelihood(test) < self.mixture.log_likelihood(test) + _MIN_GAIN:
            return self
        return type(self)(self.projection, improve_mixture(self.mixture, projected, _REFIT_ROUNDS))

    def state(self, part: str) -> State:
        """Everything that ``from_state`` needs; each key starts with ``part``."""
        projection, mixture = self.projection, self.mixture
        return {
            f"{part}_offset": projection.offset,
            f"{part}_axes": projection.axes,
            f"{part}_signs": projection.signs,
            f"{part}_weights": mixture.weights,
            f"{part}_means": mixture.means,
            f"{part}_variances": mixture.variances,
        }

    @classmethod
    def from_state(cls, state: State, part: str) -> Self:
        """The inverse of ``state``."""
        projection = Projection(state[f"{part}_offset"], state[f"{part}_axes"], state[f"{part}_signs"])
        signs = np.concatenate([projection.signs, _PLACE_SIGNS])
        mixture = GaussianMixture(state[f"{part}_weights"], state[f"{part}_means"], state[f"{part}_variances"], signs)
        return cls(projection, mixture)


def unit(vector: Floats) -> Floats:
    """The vector at length 1; zeros stay zeros."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def _project_with_place(projection: Projection, rows: NDArray[np.uint8]) -> Floats:
    """Projected rows with the scaled position as two more columns."""
    place = (rows[:, -PLACE:].astype(np.float32) / 255.0 - 0.5) * _PLACE_SPREAD
    return np.concatenate([projection(rows[:, :-PLACE]), place], axis=1)


class Fisher(ExtractorSettings):
    """Photos to unit vectors of ``2 * pairs * (64 + 2)`` shape and ``2 * pairs * (24 + 2)`` colour numbers, and layout.

    ``pairs`` is the number of mixture components, each paired with its mirror image; ``side`` the longest side, in
    pixels, that photos are scaled to; ``steps`` the distance between patches, one number per scale (see
    ``dense_descriptors``). ``sample`` limits the descriptors that ``fit`` uses, and thereby its time and memory;
    ``rounds`` the iterations of expectation maximisation. Learns ``vocabularies_`` and ``mean_layout_``.
    """

    version: ClassVar[int] = 4

    def __init__(
        self,
        pairs: int = 64,
        side: int = 256,
        steps: tuple[int, ...] = (2, 2, 2),
        sample: int = 40_000,
        rounds: int = 10,
        seed: int = 0,
    ) -> None:
        self.pairs = pairs
        self.side = side
        self.steps = steps
        self.sample = sample
        self.rounds = rounds
        self.seed = seed

    def describe(self, photos: Sequence[Photo]) -> list[Rows]:
        """Layout and local descriptors of each photo without its margin, as ``PhotoDescriptors.packed`` gives them."""
        if cv2.getNumThreads() != 1:
            cv2.setNumThreads(1)  # photos this small gain nothing from several threads
        return [
            dense_descriptors.describe_dense(trim_margin(photo), self.side, tuple(self.steps)).packed()
            for photo in photos
        ]

    def fit(self, photos: Sequence[Photo]) -> Self:
        """Learn projections and mixtures from the photos' descriptors."""
        return self.fit_descriptors(self.describe(photos))

    def fit_descriptors(self, descriptors: Sequence[Rows]) -> Self:
        """Learn from descriptors already computed."""
        rng = np.random.default_rng(self.seed)
        photos = [PhotoDescriptors.unpacked(rows) for rows in descriptors]
        layouts = [_layout(photo) for photo in photos]
        self.mean_layout_ = {part: np.mean([layout[part] for layout in layouts], axis=0) for part in _LAYOUT_WEIGHTS}
        self.vocabularies_: dict[str, FisherVocabulary] = {}
        for part, (n_axes, mirror, share) in _PARTS.items():
            pool = self._sample([getattr(photo, part) for photo in photos], rng)
            pairs = max(1, round(self.pairs * share))
            self.vocabularies_[part] = FisherVocabulary.fit(pool, n_axes, mirror, pairs, self.rounds, rng)
        return self

    def refit(self, photos: Sequence[Photo]) -> bool:
        """Adapt to a changed catalogue, of which ``photos`` are a sample; see ``refit_descriptors``."""
        return self.refit_descriptors(self.describe(photos))

    def refit_descriptors(self, descriptors: Sequence[Rows]) -> bool:
        """Improve the vocabularies that no longer describe these descriptors well; returns whether any changed.

        If so, earlier vectors are not comparable with new ones; if not, all of them stay valid. The projections and the
        mean layout do not change; only ``fit`` learns them.
        """
        rng = np.random.default_rng(self.seed)
        photos = [PhotoDescriptors.unpacked(rows) for rows in descriptors]
        previous = dict(self.vocabularies_)
        for part, vocabulary in previous.items():
            rows = [getattr(photo, part) for photo in photos]
            if sum(map(len, rows)) >= _MIN_DESCRIPTORS_TO_REFIT:
                self.vocabularies_[part] = vocabulary.refitted(self._sample(rows, rng))
        return any(self.vocabularies_[part] is not previous[part] for part in previous)

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        """float32, shape (n, d)."""
        return self.transform_descriptors(self.describe(photos))

    def transform_descriptors(self, descriptors: Sequence[Rows]) -> Vectors:
        """The vectors of descriptors already computed."""
        width = sum(2 * vocabulary.mixture.means.size for vocabulary in self.vocabularies_.values())
        width += sum(mean.size for mean in self.mean_layout_.values())
        vectors = np.zeros((len(descriptors), width), np.float32)
        for row, rows in zip(vectors, descriptors, strict=True):
            row[:] = self._vector(PhotoDescriptors.unpacked(rows))
        return vectors

    def fit_transform(self, photos: Sequence[Photo]) -> Vectors:
        """``fit`` and ``transform`` of the same photos."""
        descriptors = self.describe(photos)
        return self.fit_descriptors(descriptors).transform_descriptors(descriptors)

    def state(self) -> State:
        """Settings as JSON, projections and mixtures as arrays."""
        state: State = {"kind": "fisher", "version": self.version, "settings": self.get_params()}
        for part, vocabulary in self.vocabularies_.items():
            state |= vocabulary.state(part)
        return state | {f"{part}_mean": mean for part, mean in self.mean_layout_.items()}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore the fitted extractor; BadArtefact if the state is of another one."""
        check_state(state, "fisher", cls.version)
        extractor = cls(**{**state["settings"], "steps": tuple(state["settings"]["steps"])})
        extractor.mean_layout_ = {part: state[f"{part}_mean"] for part in _LAYOUT_WEIGHTS}
        extractor.vocabularies_ = {part: FisherVocabulary.from_state(state, part) for part in _PARTS}
        return extractor

    def _sample(self, rows: Sequence[Rows], rng: np.random.Generator) -> Rows:
        """At most ``sample`` of the rows, about equally many from each photo; shape (n, columns)."""
        nonempty = [photo_rows for photo_rows in rows if len(photo_rows)]
        if not nonempty:
            return np.zeros((1, rows[0].shape[1] if rows else dense_descriptors.COLUMNS), np.uint8)
        max_rows = int(np.clip(self.sample // len(nonempty), 20, _MAX_DESCRIPTORS_PER_PHOTO))
        pool = np.concatenate(
            [
                photo_rows[rng.choice(len(photo_rows), min(len(photo_rows), max_rows), replace=False)]
                for photo_rows in nonempty
            ]
        )
        return pool if len(pool) <= self.sample else pool[rng.choice(len(pool), self.sample, replace=False)]

    def _vector(self, photo: PhotoDescriptors) -> Floats:
        blocks = [weight * self.vocabularies_[part].vector(getattr(photo, part)) for part, weight in _WEIGHTS.items()]
        layout = _layout(photo)
        blocks += [weight * unit(layout[part] - self.mean_layout_[part]) for part, weight in _LAYOUT_WEIGHTS.items()]
        return unit(np.concatenate(blocks))


def _layout(photo: PhotoDescriptors) -> dict[str, Floats]:
    """``edges`` and ``tones`` (with the proportions), each on its own scale, plus those of the mirror image."""
    edges = photo.edges.astype(np.float32) / np.float32(512.0)
    edges = edges + edges[:, ::-1][:, :, dense_descriptors.MIRRORED_ORIENTATIONS]
    tones = (photo.tones.astype(np.float32) - (0.0, 128.0, 128.0)) / (127.5, 40.0, 40.0)
    tones = tones + tones[:, ::-1]
    proportions = 11.0 * (photo.proportions - 128.0) / 40.0
    return {"edges": edges.ravel(), "tones": np.append(tones.ravel(), proportions).astype(np.float32)}
