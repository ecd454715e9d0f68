"""Local descriptors of a photo on a regular grid: dense SIFT, colour, and where they lie.

Dense SIFT after VLFeat's ``dsift``: the gradient is spread over eight orientation maps, each map is blurred once with a
triangle as wide as a spatial bin, and a descriptor is sixteen samples of the blurred maps. Nothing is computed a key
point at a time, which makes it fast. Colour: mean and deviation of Lab in 4 x 4 cells (Perronnin et al. 2010).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.features.extractor import Photo

ORIENTATIONS = 8
GRID = 4
SHAPE = ORIENTATIONS * GRID * GRID  # columns 0..127
COLOUR = 2 * 3 * GRID * GRID  # columns 128..223
PLACE = 2  # the last two: x and y of the centre, 0..255 across the photo
COLUMNS = SHAPE + COLOUR + PLACE
LAYOUT_ROWS = 4  # the first rows of what ``describe`` returns: the layout of the whole photo, see ``layout``
EDGES = 8 * 8 * ORIENTATIONS
TONES = 8 * 8 * 3
_CELLS = np.arange(GRID * GRID).reshape(GRID, GRID)[:, ::-1].ravel()
_TURNED = (ORIENTATIONS // 2 - np.arange(ORIENTATIONS)) % ORIENTATIONS
_MIRROR = np.concatenate(
    [
        (_CELLS[:, None] * ORIENTATIONS + _TURNED).ravel(),
        SHAPE + (_CELLS[:, None] * 6 + np.arange(6)).ravel(),
        SHAPE + COLOUR + np.arange(PLACE),
    ]
)
_NARROWEST = 4  # pixels of a spatial bin at the resolution it is blurred at
_FLAT_GRADIENT = 1.5  # grey levels a pixel, averaged over the patch


def describe(photo: Photo, side: int, bins: tuple[int, ...], step: int) -> NDArray[np.uint8]:
    """The layout in LAYOUT_ROWS rows, then one descriptor a row: uint8, shape (LAYOUT_ROWS + points, COLUMNS).

    ``points`` is 0 for a photo without any structure at all.

    ``photo`` is RGB of any size; it is scaled to ``side`` pixels on its longest side. ``bins`` are widths of a spatial
    bin in pixels, one a scale (a patch is four bins wide), and ``step`` is the distance between patches.
    """
    scaled = _scaled(photo, side, 4 * max(bins) + 2)
    lab = cv2.cvtColor(scaled.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    maps = orientation_maps(lab[:, :, 0] * 2.55)
    moments = np.concatenate([lab, lab * lab], axis=2)
    top = np.zeros((LAYOUT_ROWS, COLUMNS), np.uint8)
    whole = layout(photo)
    top.ravel()[: len(whole)] = whole
    found = [top]
    shrunk = 1
    for width in sorted(bins):
        # Wide bins blur so much that half the resolution loses nothing, at a quarter of the arithmetic.
        while width // shrunk >= 2 * _NARROWEST and width % (2 * shrunk) == step % (2 * shrunk) == 0:
            maps, moments, shrunk = _halved(maps), _halved(moments), 2 * shrunk
        found.append(_at_scale(maps, moments, width // shrunk, step // shrunk))
    return np.concatenate(found)


def layout(photo: Photo) -> NDArray[np.uint8]:
    """The photo as a whole on a grid of 8 x 8: EDGES of orientations, TONES of Lab, and its proportions; shape (705,).

    A coarse relative of GIST (Oliva and Torralba 2001). Proportions are 128 + 40 times log2 of width over height.
    """
    small = cv2.resize(photo, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB))
    soft = np.maximum(cv2.blur(orientation_maps(lab[:, :, 0] * 2.55), (8, 8)), 0.0)
    edges = soft.reshape(8, 8, 8, 8, ORIENTATIONS).mean(axis=(1, 3)).ravel()
    rooted = np.sqrt(edges / (edges.sum() + 1e-6)) * 512.0
    tones = lab.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3)) * (2.55, 1.0, 1.0) + (0.0, 128.0, 128.0)
    proportions = 128.0 + 40.0 * np.log2(photo.shape[1] / photo.shape[0])
    return np.asarray(np.clip(np.concatenate([rooted, tones.ravel(), [proportions]]), 0, 255), np.uint8)


def mirrored(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The descriptors of the photo's mirror image (left and right swapped), from those of the photo: same shape."""
    turned = rows[:, _MIRROR]
    turned[:, -PLACE] = 255 - turned[:, -PLACE]
    return turned


def orientation_maps(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The gradient's strength spread linearly over eight orientations: shape (height, width, 8); ``grey`` is 0..255."""
    dx = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=1) * 0.5
    dy = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=1) * 0.5
    strength, angle = cv2.cartToPolar(dx, dy)
    turns = angle * (ORIENTATIONS / (2 * np.pi))
    maps = np.empty((*grey.shape, ORIENTATIONS), np.float32)
    for index in range(ORIENTATIONS):
        distance = np.abs(turns - index)
        distance = np.minimum(distance, ORIENTATIONS - distance)
        maps[:, :, index] = strength * np.maximum(1.0 - distance, 0.0)
    return maps


def _halved(field: NDArray[np.float32]) -> NDArray[np.float32]:
    even = field[: len(field) // 2 * 2, : field.shape[1] // 2 * 2]
    rows = even[::2] + even[1::2]
    return np.asarray((rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25), np.float32)


def _scaled(photo: Photo, side: int, least: int) -> Photo:
    height, width = photo.shape[:2]
    scale = side / max(height, width)
    size = (max(least, round(width * scale)), max(least, round(height * scale)))
    if size == (width, height):
        return photo
    shrinks = size[0] < width
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8)


def _at_scale(maps: NDArray[np.float32], moments: NDArray[np.float32], width: int, step: int) -> NDArray[np.uint8]:
    height, breadth = maps.shape[:2]
    span = GRID * width
    tops = np.arange((height - span) % step // 2, height - span + 1, step)
    lefts = np.arange((breadth - span) % step // 2, breadth - span + 1, step)
    # A box twice over is the triangle that bilinear binning amounts to.
    soft = cv2.blur(cv2.blur(maps, (width, width)), (width, width))
    shape = _cells(soft, tops, lefts, width).reshape(-1, SHAPE)
    kept = shape.sum(axis=1) > _FLAT_GRADIENT * GRID * GRID
    shape = shape[kept]
    colour = _cells(cv2.blur(moments, (width, width)), tops, lefts, width).reshape(-1, GRID * GRID, 6)[kept]
    rows = np.empty((len(shape), COLUMNS), np.uint8)
    rows[:, :SHAPE] = _root_sift(shape)
    rows[:, SHAPE : SHAPE + COLOUR] = _colour(colour)
    ys, xs = np.meshgrid(tops + span / 2, lefts + span / 2, indexing="ij")
    rows[:, -2] = (xs.ravel()[kept] * (255.0 / breadth)).astype(np.uint8)
    rows[:, -1] = (ys.ravel()[kept] * (255.0 / height)).astype(np.uint8)
    return rows


def _cells(field: NDArray[Any], tops: NDArray[np.int64], lefts: NDArray[np.int64], width: int) -> NDArray[np.float32]:
    """Samples at the centres of the 4 x 4 bins of every patch: shape (patches, 16, channels)."""
    step_y, step_x = (int(starts[1] - starts[0]) if len(starts) > 1 else 1 for starts in (tops, lefts))
    sampled = np.empty((len(tops), len(lefts), GRID * GRID, field.shape[2]), np.float32)
    for row in range(GRID):
        y = int(tops[0]) + width // 2 + width * row
        for column in range(GRID):
            x = int(lefts[0]) + width // 2 + width * column
            rows = field[y : y + step_y * len(tops) : step_y, x : x + step_x * len(lefts) : step_x]
            sampled[:, :, row * GRID + column] = rows
    return sampled.reshape(len(tops) * len(lefts), GRID * GRID, field.shape[2])


def _root_sift(shape: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Clipped at 0.2 of the length as SIFT is, then the square root of the L1-normalised (Arandjelovic 2012)."""
    shape = np.maximum(shape, 0.0)  # running sums of the blur may end a hair below zero
    length = np.sqrt(np.einsum("ij,ij->i", shape, shape))[:, None] + 1e-6
    clipped = np.minimum(shape, 0.2 * length)
    rooted = np.sqrt(clipped / (clipped.sum(axis=1, keepdims=True) + 1e-6))
    return np.asarray(np.minimum(rooted * 512.0, 255.0), np.uint8)


def _colour(colour: NDArray[np.float32]) -> NDArray[np.uint8]:
    mean, square = colour[:, :, :3], colour[:, :, 3:]
    deviation = np.sqrt(np.maximum(square - mean * mean, 0.0))
    centred = mean * np.array([2.55, 1.0, 1.0], np.float32) + np.array([0.0, 128.0, 128.0], np.float32)
    both = np.concatenate([centred, deviation * 3.0], axis=2)
    return np.asarray(np.clip(both, 0, 255).reshape(len(colour), COLOUR), np.uint8)
