"""Root-SIFT of a photo as OpenCV computes it: at key points, and on a regular grid at several scales.

SIFT: Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004. Its square root after L1
normalisation: Arandjelovic and Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012.
Key points are turned to their main gradient; patches of the grid stay upright, for a shoe stands on its sole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.features.extractor import Photo

WIDTH = 128  # columns 0..127: the descriptor
X, Y, SOURCE = 128, 129, 130  # the centre, 0..255 across the photo; 0 for a key point, else 1 + its scale's number
COLUMNS = 131
_DIAMETER = 4.0  # of a key point on the grid: OpenCV's descriptor is then 4 bins of 6 pixels wide
_PATCH = 24
_STRONGEST = 300  # key points of one photo
_CONTRAST = 0.02  # half of OpenCV's default: product photos are smooth
_FLAT = 1.5  # grey levels a pixel, averaged over a patch: paper and plain walls stay below


def describe(photo: Photo, scales: Sequence[tuple[int, int]]) -> NDArray[np.uint8]:
    """One descriptor a row: uint8, shape (points, COLUMNS), never without a row.

    ``photo`` is RGB of any size. Each of ``scales`` is the longest side in pixels that the photo is brought to, and the
    distance of the patches there; a patch is 24 pixels wide. Flat patches are left out, unless all are.
    """
    grey = np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.uint8)
    sides = max(side for side, _ in scales)
    sized = [(number, _scaled(grey, side), step) for number, (side, step) in enumerate(scales, start=1)]
    found = [_patches(small, step, number, _FLAT) for number, small, step in sized]
    described = np.concatenate([_key_points(_scaled(grey, sides)), *found])
    return described if len(described) else np.concatenate([_patches(small, step, at, 0) for at, small, step in sized])


def _key_points(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    finder = cv2.SIFT.create(nfeatures=_STRONGEST, contrastThreshold=_CONTRAST)
    points, descriptors = finder.detectAndCompute(grey, None)
    places = np.array([point.pt for point in points]).reshape(-1, 2)
    return _rows(descriptors, places, grey.shape, 0)


def _patches(grey: NDArray[np.uint8], step: int, number: int, least: float) -> NDArray[np.uint8]:
    """Rows of the grid, of the patches whose gradient has at least that mean strength.

    The others are not described at all, which is what takes the time.
    """
    ys, xs = (np.arange(_PATCH // 2 + (size - _PATCH) % step // 2, size - _PATCH // 2 + 1, step) for size in grey.shape)
    light = grey.astype(np.float32)
    slopes = [cv2.Sobel(light, cv2.CV_32F, dx, dy, ksize=1) * 0.5 for dx, dy in ((1, 0), (0, 1))]
    strength = cv2.blur(cv2.magnitude(slopes[0], slopes[1]), (_PATCH, _PATCH))[np.ix_(ys, xs)]
    places = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)[strength.ravel() >= least]
    points = [cv2.KeyPoint(float(x), float(y), _DIAMETER, 0.0) for x, y in places]
    _, descriptors = cv2.SIFT.create().compute(grey, points)
    return _rows(descriptors, places, grey.shape, number)


def _rows(descriptors: Any, places: NDArray[np.float64], shape: tuple[int, ...], number: int) -> NDArray[np.uint8]:
    rows = np.zeros((len(places), COLUMNS), np.uint8)
    if descriptors is not None and len(places):
        shares = descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
        rows[:, :WIDTH] = np.minimum(np.sqrt(shares) * 512.0, 255.0)
        rows[:, [X, Y]] = np.clip(places * (255.0 / shape[1], 255.0 / shape[0]), 0, 255)
        rows[:, SOURCE] = number
    return rows


def _scaled(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Longest side ``side`` pixels, and no side shorter than a patch."""
    height, width = grey.shape
    scale = side / max(height, width)
    size = (max(_PATCH, round(width * scale)), max(_PATCH, round(height * scale)))
    if size == (width, height):
        return grey
    shrinks = size[0] < width
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8)
