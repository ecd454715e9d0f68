"""Visual words: root-SIFT descriptors, a k-means vocabulary, histograms in a spatial pyramid.

A photo is a bag of words (Sivic and Zisserman, "Video Google", ICCV 2003): each descriptor counts as the nearest entry
of the vocabulary. Patches of the grid are counted over the whole photo, its quarters and its sixteenths (Lazebnik,
Schmid, Ponce, "Beyond Bags of Features", CVPR 2006); key points are few, and are counted over the whole photo only.

SIFT, computed by OpenCV: Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004. Its square root
after L1 normalisation: Arandjelovic and Zisserman, "Three things everyone should know to improve object retrieval",
CVPR 2012. Key points are rotated to their dominant gradient; grid patches stay upright, since products are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.features.extractor import ExtractorSettings, Floats, Photo, State, Vectors, check_state

Rows = NDArray[np.uint8]  # (points, COLUMNS): one descriptor per row
DESCRIPTOR_WIDTH = 128  # columns 0..127: the descriptor
X_COLUMN, Y_COLUMN = 128, 129  # the centre, 0..255 across the photo
SOURCE_COLUMN = 130  # 0 for a key point, else 1 + the index of its scale
COLUMNS = 131
_LEVEL_WEIGHTS = {1: 0.5, 2: 0.5, 4: 0.7}  # by cells per side: the square root of Lazebnik's weight of that level
_POINTS_WEIGHT = 0.5
_PARTS = ("grid", "points")
_BATCH_SIZE = 2_048
_GRID_POINT_DIAMETER = 4.0  # pixels; OpenCV's descriptor is then 4 bins of 6 pixels wide
_PATCH_SIDE = 24  # pixels
_MAX_KEY_POINTS = 300  # per photo, the strongest
_MIN_CONTRAST = 0.02  # half of OpenCV's default: product photos are smooth
_MIN_GRADIENT = 1.5  # grey levels per pixel, averaged over a patch: paper and plain walls stay below


class Sift(ExtractorSettings):
    """Photos to unit vectors of ``(1 + 4 + 16) * grid_words + point_words`` numbers, none of them negative.

    ``scales`` are pairs of the longest side of the photo and the distance between patches, in pixels. ``sample`` limits
    the descriptors that ``fit`` uses, and thereby its time and memory. Learns ``vocabularies_``, of shape
    (words, 128) each, and ``rarities_``, the logarithm of the inverse document frequency of each word.
    """

    version: ClassVar[int] = 1

    def __init__(
        self,
        grid_words: int = 1_000,
        point_words: int = 500,
        scales: tuple[tuple[int, int], ...] = ((256, 8), (128, 6), (64, 4)),
        sample: int = 60_000,
        seed: int = 0,
    ) -> None:
        self.grid_words = grid_words
        self.point_words = point_words
        self.scales = scales
        self.sample = sample
        self.seed = seed

    def describe(self, photos: Sequence[Photo]) -> list[Rows]:
        """Root-SIFT of each photo: its key points, and its grid at several scales."""
        if cv2.getNumThreads() != 1:
            cv2.setNumThreads(1)  # photos this small gain nothing from several threads
        return [describe_root_sift(photo, self.scales) for photo in photos]

    def fit(self, photos: Sequence[Photo]) -> Self:
        """Learn the vocabularies from the photos' descriptors."""
        return self.fit_descriptors(self.describe(photos))

    def fit_descriptors(self, descriptors: Sequence[Rows]) -> Self:
        """Learn from descriptors already computed."""
        rng = np.random.default_rng(self.seed)
        self.vocabularies_: dict[str, Floats] = {}
        self.rarities_: dict[str, Floats] = {}
        for part, words in zip(_PARTS, (self.grid_words, self.point_words), strict=True):
            self.vocabularies_[part] = self._vocabulary([_select_part(part, rows) for rows in descriptors], words, rng)
            photos_with = np.zeros(len(self.vocabularies_[part]))
            for rows in descriptors:
                photos_with[np.unique(self._words(part, _select_part(part, rows)))] += 1
            self.rarities_[part] = (1.0 + np.log((1.0 + len(descriptors)) / (1.0 + photos_with))).astype(np.float32)
        return self

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        """float32, shape (n, d)."""
        return self.transform_descriptors(self.describe(photos))

    def transform_descriptors(self, descriptors: Sequence[Rows]) -> Vectors:
        """The vectors of descriptors already computed."""
        cells = sum(side * side for side in _LEVEL_WEIGHTS)
        width = cells * len(self.vocabularies_["grid"]) + len(self.vocabularies_["points"])
        vectors = np.zeros((len(descriptors), width), np.float32)
        for row, rows in zip(vectors, descriptors, strict=True):
            row[:] = self._vector(rows)
        return vectors

    def fit_transform(self, photos: Sequence[Photo]) -> Vectors:
        """``fit`` and ``transform`` of the same photos."""
        descriptors = self.describe(photos)
        return self.fit_descriptors(descriptors).transform_descriptors(descriptors)

    def state(self) -> State:
        """Settings as JSON, vocabularies and rarities as arrays."""
        state: State = {"kind": "sift", "version": self.version, "settings": self.get_params()}
        for part in _PARTS:
            state |= {f"{part}_vocabulary": self.vocabularies_[part], f"{part}_rarities": self.rarities_[part]}
        return state

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore the fitted extractor; BadArtefact if the state is of another one."""
        check_state(state, "sift", cls.version)
        scales = tuple((int(side), int(step)) for side, step in state["settings"]["scales"])
        extractor = cls(**{**state["settings"], "scales": scales})
        extractor.vocabularies_ = {part: state[f"{part}_vocabulary"] for part in _PARTS}
        extractor.rarities_ = {part: state[f"{part}_rarities"] for part in _PARTS}
        return extractor

    def _vocabulary(self, photos: Sequence[Rows], words: int, rng: np.random.Generator) -> Floats:
        """At most ``words`` centres of ``sample`` descriptors drawn evenly from the photos; (0, 128) if there are none.

        A word of fewer than ten descriptors is not meaningful, so small catalogues get fewer words.
        """
        from sklearn.cluster import MiniBatchKMeans  # serving never fits, and leaves scikit-learn out
        from threadpoolctl import threadpool_limits

        rows_per_photo = max(20, self.sample // max(len(photos), 1))
        samples = [rows[rng.permutation(len(rows))[:rows_per_photo], :DESCRIPTOR_WIDTH] for rows in photos]
        pool = np.concatenate(samples) if samples else np.zeros((0, DESCRIPTOR_WIDTH), np.uint8)
        if not len(pool):
            return np.zeros((0, DESCRIPTOR_WIDTH), np.float32)
        pool = pool[rng.permutation(len(pool))[: self.sample]]
        n_words = max(1, min(words, len(pool) // 10))
        clustering = MiniBatchKMeans(n_words, batch_size=_BATCH_SIZE, max_iter=10, n_init=1, random_state=self.seed)
        with threadpool_limits(1):  # sums of several threads differ in their last digits
            return np.asarray(clustering.fit(pool.astype(np.float32)).cluster_centers_, np.float32)

    def _words(self, part: str, rows: Rows) -> NDArray[np.int64]:
        """The nearest word of each descriptor: shape (points,)."""
        vocabulary = self.vocabularies_[part]
        if not len(vocabulary):
            return np.zeros(0, np.int64)
        inner = rows[:, :DESCRIPTOR_WIDTH].astype(np.float32) @ vocabulary.T
        nearest: NDArray[np.int64] = (0.5 * (vocabulary * vocabulary).sum(axis=1) - inner).argmin(axis=1)
        return nearest

    def _vector(self, rows: Rows) -> Floats:
        grid, points = (_select_part(part, rows) for part in _PARTS)
        words = self._words("grid", grid)
        x, y = (grid[:, axis].astype(np.int64) for axis in (X_COLUMN, Y_COLUMN))
        parts = []
        for side, weight in _LEVEL_WEIGHTS.items():
            cells = y * side // 256 * side + x * side // 256
            parts.append(weight * self._histogram("grid", words, cells, side * side))
        parts.append(_POINTS_WEIGHT * self._histogram("points", self._words("points", points), 0, 1))
        return _unit(np.concatenate(parts))

    def _histogram(self, part: str, words: NDArray[np.int64], cells: NDArray[np.int64] | int, n_cells: int) -> Floats:
        """Histogram of words per cell, weighted by rarity, as a unit vector of shape (n_cells * words,).

        With the square root, the inner product of two such vectors is the Hellinger similarity, in which frequent words
        dominate less.
        """
        n_words = len(self.vocabularies_[part])
        if not n_words:
            return np.zeros(0, np.float32)
        counts = np.bincount(words + n_words * np.asarray(cells), minlength=n_cells * n_words).reshape(n_cells, n_words)
        return _unit(np.sqrt(counts * self.rarities_[part]).ravel())


def _select_part(part: str, rows: Rows) -> Rows:
    """The descriptors of the part: the grid, or the key points."""
    in_part: NDArray[np.bool_] = (rows[:, SOURCE_COLUMN] > 0) == (part == "grid")
    return np.asarray(rows[in_part], np.uint8)


def _unit(vector: NDArray[np.floating]) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def describe_root_sift(photo: Photo, scales: Sequence[tuple[int, int]]) -> Rows:
    """Describe an RGB photo of any size: one descriptor per row, at least one.

    Each of ``scales`` is the longest side that the photo is scaled to, and the distance between patches, both in
    pixels; a patch is 24 pixels wide. Flat patches are left out, unless all are flat.
    """
    grey = np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.uint8)
    longest_side = max(side for side, _ in scales)
    scaled_photos = [(number, _scaled(grey, side), step) for number, (side, step) in enumerate(scales, start=1)]
    patches = [_patches(scaled, step, number, _MIN_GRADIENT) for number, scaled, step in scaled_photos]
    rows = np.concatenate([_key_points(_scaled(grey, longest_side)), *patches])
    if not len(rows):
        rows = np.concatenate([_patches(scaled, step, number, 0) for number, scaled, step in scaled_photos])
    return rows


def _key_points(grey: NDArray[np.uint8]) -> Rows:
    detector = cv2.SIFT.create(nfeatures=_MAX_KEY_POINTS, contrastThreshold=_MIN_CONTRAST)
    points, descriptors = detector.detectAndCompute(grey, None)
    positions = np.array([point.pt for point in points]).reshape(-1, 2)
    return _rows(descriptors, positions, grey.shape, 0)


def _patches(grey: NDArray[np.uint8], step: int, number: int, min_gradient: float) -> Rows:
    """Rows of the grid's patches whose mean gradient is at least ``min_gradient``.

    Computing descriptors takes most of the time, so the others are skipped before it.
    """
    ys, xs = (
        np.arange(_PATCH_SIDE // 2 + (size - _PATCH_SIDE) % step // 2, size - _PATCH_SIDE // 2 + 1, step)
        for size in grey.shape
    )
    levels = grey.astype(np.float32)
    gradients = [cv2.Sobel(levels, cv2.CV_32F, dx, dy, ksize=1) * 0.5 for dx, dy in ((1, 0), (0, 1))]
    strength = cv2.blur(cv2.magnitude(gradients[0], gradients[1]), (_PATCH_SIDE, _PATCH_SIDE))[np.ix_(ys, xs)]
    positions = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)[strength.ravel() >= min_gradient]
    points = [cv2.KeyPoint(float(x), float(y), _GRID_POINT_DIAMETER, 0.0) for x, y in positions]
    _, descriptors = cv2.SIFT.create().compute(grey, points)
    return _rows(descriptors, positions, grey.shape, number)


def _rows(descriptors: Any, positions: NDArray[np.float64], shape: tuple[int, ...], number: int) -> Rows:
    rows = np.zeros((len(positions), COLUMNS), np.uint8)
    if descriptors is not None and len(positions):
        normalised = descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
        rows[:, :DESCRIPTOR_WIDTH] = np.minimum(np.sqrt(normalised) * 512.0, 255.0)
        rows[:, [X_COLUMN, Y_COLUMN]] = np.clip(positions * (255.0 / shape[1], 255.0 / shape[0]), 0, 255)
        rows[:, SOURCE_COLUMN] = number
    return rows


def _scaled(grey: NDArray[np.uint8], side: int) -> Rows:
    """Scale to ``side`` pixels on the longest side, with no side shorter than a patch."""
    height, width = grey.shape
    scale = side / max(height, width)
    size = (max(_PATCH_SIDE, round(width * scale)), max(_PATCH_SIDE, round(height * scale)))
    if size == (width, height):
        return grey
    shrinks = size[0] < width
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8)
