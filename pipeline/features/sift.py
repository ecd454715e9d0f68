"""Visual words: root-SIFT descriptors, a vocabulary by k-means, histograms in a spatial pyramid.

A photo is a bag of words (Sivic and Zisserman, "Video Google", ICCV 2003): each descriptor counts for the nearest entry
of the vocabulary. Patches of the grid are counted over the whole photo, its quarters and its sixteenths (Lazebnik,
Schmid, Ponce, "Beyond Bags of Features", CVPR 2006); key points are few, and counted over the whole photo only.

SIFT, computed by OpenCV: Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004. Its square root
after L1 normalisation: Arandjelovic and Zisserman, "Three things everyone should know to improve object retrieval",
CVPR 2012. Key points are turned to their main gradient; patches of the grid stay upright, since products do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.features.extractor import ExtractorSettings, Floats, Photo, State, Vectors, check_state

Rows = NDArray[np.uint8]  # (points, COLUMNS): one descriptor a row
DESCRIPTOR_WIDTH = 128  # columns 0..127: the descriptor
X_COLUMN, Y_COLUMN = 128, 129  # the centre, 0..255 across the photo
SOURCE_COLUMN = 130  # 0 for a key point, else 1 + the number of its scale
COLUMNS = 131
_WEIGHTS = {1: 0.5, 2: 0.5, 4: 0.7}  # cells a side, and the square root of Lazebnik's share for that level
_POINTS_WEIGHT = 0.5
_PARTS = ("grid", "points")
_BATCH = 2_048
_DIAMETER = 4.0  # of a key point on the grid: OpenCV's descriptor is then 4 bins of 6 pixels wide
_PATCH = 24
_STRONGEST = 300  # key points of one photo
_CONTRAST = 0.02  # half of OpenCV's default: product photos are smooth
_FLAT = 1.5  # grey levels a pixel, averaged over a patch: paper and plain walls stay below


class Sift(ExtractorSettings):
    """Photos to unit vectors of ``(1 + 4 + 16) * grid_words + point_words`` numbers, none of them negative.

    ``scales`` are pairs of the longest side of the photo and the distance between patches, in pixels. ``sample`` bounds
    the descriptors that ``fit`` uses, and with them its time and memory. Learns ``vocabularies_``, of shape
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
            cv2.setNumThreads(1)  # photos this small are not worth sharing between threads, which then wait
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
            self.vocabularies_[part] = self._vocabulary([_of(part, rows) for rows in descriptors], words, rng)
            photos_with = np.zeros(len(self.vocabularies_[part]))
            for rows in descriptors:
                photos_with[np.unique(self._words(part, _of(part, rows)))] += 1
            self.rarities_[part] = (1.0 + np.log((1.0 + len(descriptors)) / (1.0 + photos_with))).astype(np.float32)
        return self

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        """float32, shape (n, d)."""
        return self.transform_descriptors(self.describe(photos))

    def transform_descriptors(self, descriptors: Sequence[Rows]) -> Vectors:
        """The vectors of descriptors already computed."""
        cells = sum(side * side for side in _WEIGHTS)
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
        """The fitted extractor again; BadArtefact for the state of another one."""
        check_state(state, "sift", cls.version)
        scales = tuple((int(side), int(step)) for side, step in state["settings"]["scales"])
        extractor = cls(**{**state["settings"], "scales": scales})
        extractor.vocabularies_ = {part: state[f"{part}_vocabulary"] for part in _PARTS}
        extractor.rarities_ = {part: state[f"{part}_rarities"] for part in _PARTS}
        return extractor

    def _vocabulary(self, photos: Sequence[Rows], words: int, rng: np.random.Generator) -> Floats:
        """At most ``words`` centres of ``sample`` descriptors drawn evenly from the photos; (0, 128) when none has any.

        A word of fewer than ten descriptors is an accident, so small catalogues get fewer words.
        """
        from sklearn.cluster import MiniBatchKMeans  # serving never fits, and leaves scikit-learn out
        from threadpoolctl import threadpool_limits

        each = max(20, self.sample // max(len(photos), 1))
        drawn = [rows[rng.permutation(len(rows))[:each], :DESCRIPTOR_WIDTH] for rows in photos]
        pool = np.concatenate(drawn) if drawn else np.zeros((0, DESCRIPTOR_WIDTH), np.uint8)
        if not len(pool):
            return np.zeros((0, DESCRIPTOR_WIDTH), np.float32)
        pool = pool[rng.permutation(len(pool))[: self.sample]]
        kept = max(1, min(words, len(pool) // 10))
        means = MiniBatchKMeans(kept, batch_size=_BATCH, max_iter=10, n_init=1, random_state=self.seed)
        with threadpool_limits(1):  # sums of several threads differ in their last digits
            return np.asarray(means.fit(pool.astype(np.float32)).cluster_centers_, np.float32)

    def _words(self, part: str, rows: Rows) -> NDArray[np.int64]:
        """The nearest word of each descriptor: shape (points,)."""
        vocabulary = self.vocabularies_[part]
        if not len(vocabulary):
            return np.zeros(0, np.int64)
        inner = rows[:, :DESCRIPTOR_WIDTH].astype(np.float32) @ vocabulary.T
        nearest: NDArray[np.int64] = (0.5 * (vocabulary * vocabulary).sum(axis=1) - inner).argmin(axis=1)
        return nearest

    def _vector(self, rows: Rows) -> Floats:
        grid, points = (_of(part, rows) for part in _PARTS)
        words = self._words("grid", grid)
        columns, lines = (grid[:, axis].astype(np.int64) for axis in (X_COLUMN, Y_COLUMN))
        parts = []
        for side, weight in _WEIGHTS.items():
            cells = lines * side // 256 * side + columns * side // 256
            parts.append(weight * self._histogram("grid", words, cells, side * side))
        parts.append(_POINTS_WEIGHT * self._histogram("points", self._words("points", points), 0, 1))
        return _unit(np.concatenate(parts))

    def _histogram(self, part: str, words: NDArray[np.int64], cells: NDArray[np.int64] | int, count: int) -> Floats:
        """Words by cell, rare ones weighing more, as a unit vector of shape (count * words,).

        With the square root, the inner product of two such vectors is Hellinger's similarity, in which frequent words
        dominate less.
        """
        known = len(self.vocabularies_[part])
        if not known:
            return np.zeros(0, np.float32)
        counted = np.bincount(words + known * np.asarray(cells), minlength=count * known).reshape(count, known)
        return _unit(np.sqrt(counted * self.rarities_[part]).ravel())


def _of(part: str, rows: Rows) -> Rows:
    """The descriptors of the grid, or of the key points."""
    wanted: NDArray[np.bool_] = (rows[:, SOURCE_COLUMN] > 0) == (part == "grid")
    return np.asarray(rows[wanted], np.uint8)


def _unit(vector: NDArray[np.floating]) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def describe_root_sift(photo: Photo, scales: Sequence[tuple[int, int]]) -> Rows:
    """Describe an RGB photo of any size: one descriptor a row, at least one.

    Each of ``scales`` is the longest side in pixels that the photo is scaled to, and the distance of the patches there;
    a patch is 24 pixels wide. Flat patches are left out, unless all are flat.
    """
    grey = np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.uint8)
    sides = max(side for side, _ in scales)
    sized = [(number, _scaled(grey, side), step) for number, (side, step) in enumerate(scales, start=1)]
    patches = [_patches(small, step, number, _FLAT) for number, small, step in sized]
    rows = np.concatenate([_key_points(_scaled(grey, sides)), *patches])
    return rows if len(rows) else np.concatenate([_patches(small, step, at, 0) for at, small, step in sized])


def _key_points(grey: NDArray[np.uint8]) -> Rows:
    finder = cv2.SIFT.create(nfeatures=_STRONGEST, contrastThreshold=_CONTRAST)
    points, descriptors = finder.detectAndCompute(grey, None)
    places = np.array([point.pt for point in points]).reshape(-1, 2)
    return _rows(descriptors, places, grey.shape, 0)


def _patches(grey: NDArray[np.uint8], step: int, number: int, least: float) -> Rows:
    """Rows of the grid's patches whose mean gradient is at least ``least``.

    Describing takes the time, so the others are skipped before it.
    """
    ys, xs = (np.arange(_PATCH // 2 + (size - _PATCH) % step // 2, size - _PATCH // 2 + 1, step) for size in grey.shape)
    light = grey.astype(np.float32)
    slopes = [cv2.Sobel(light, cv2.CV_32F, dx, dy, ksize=1) * 0.5 for dx, dy in ((1, 0), (0, 1))]
    strength = cv2.blur(cv2.magnitude(slopes[0], slopes[1]), (_PATCH, _PATCH))[np.ix_(ys, xs)]
    places = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)[strength.ravel() >= least]
    points = [cv2.KeyPoint(float(x), float(y), _DIAMETER, 0.0) for x, y in places]
    _, descriptors = cv2.SIFT.create().compute(grey, points)
    return _rows(descriptors, places, grey.shape, number)


def _rows(descriptors: Any, places: NDArray[np.float64], shape: tuple[int, ...], number: int) -> Rows:
    rows = np.zeros((len(places), COLUMNS), np.uint8)
    if descriptors is not None and len(places):
        shares = descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
        rows[:, :DESCRIPTOR_WIDTH] = np.minimum(np.sqrt(shares) * 512.0, 255.0)
        rows[:, [X_COLUMN, Y_COLUMN]] = np.clip(places * (255.0 / shape[1], 255.0 / shape[0]), 0, 255)
        rows[:, SOURCE_COLUMN] = number
    return rows


def _scaled(grey: NDArray[np.uint8], side: int) -> Rows:
    """Scaled to ``side`` pixels on the longest side, and no side shorter than a patch."""
    height, width = grey.shape
    scale = side / max(height, width)
    size = (max(_PATCH, round(width * scale)), max(_PATCH, round(height * scale)))
    if size == (width, height):
        return grey
    shrinks = size[0] < width
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8)
