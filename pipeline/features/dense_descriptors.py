"""Local descriptors of a photo on a regular grid, dense root-SIFT and colour with their places, and its layout.

Shape: the square roots of 4 x 4 bins of eight orientations, of unit sum (Arandjelović and Zisserman, CVPR 2012), at
several scales of one lattice. Colour: mean and deviation of Lab in 4 x 4 cells (Perronnin et al. 2010). Layout: a
coarse relative of GIST (Oliva and Torralba 2001). Flat patches, such as white backgrounds, are left out before anything
is computed for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.features import orientation_maps
from pipeline.features.extractor import Photo
from pipeline.features.orientation_maps import GRID, ORIENTATIONS, Floats
from pipeline.features.trim_and_scale import scale_photo

Rows = NDArray[np.uint8]

SHAPE = ORIENTATIONS * GRID * GRID
COLOUR = 2 * 3 * GRID * GRID
PLACE = 2  # the last columns of a row: x and y of the centre, 0..255 across the photo
COLUMNS = SHAPE + PLACE
SECTORS = 8  # the layout is of 8 x 8 parts of the photo
EDGES = SECTORS * SECTORS * ORIENTATIONS
TONES = SECTORS * SECTORS * 3
_COUNT_BYTES = 4  # of the number of rows of colour
LAYOUT_ROWS = -(-(EDGES + TONES + 1 + _COUNT_BYTES) // COLUMNS)  # rows before the first descriptor

_CELLS = np.arange(GRID * GRID).reshape(GRID, GRID)[:, ::-1].ravel()
TURNED = (ORIENTATIONS // 2 - np.arange(ORIENTATIONS)) % ORIENTATIONS  # orientations in the mirror
SHAPE_MIRROR: NDArray[np.int64] = (_CELLS[:, None] * ORIENTATIONS + TURNED).ravel()
COLOUR_MIRROR: NDArray[np.int64] = (_CELLS[:, None] * 6 + np.arange(6)).ravel()

_FLAT_GRADIENT = 0.24  # of an orientation and bin, in grey levels a pixel: a gradient of about 1.5
_COLOUR_STEPS = 2  # patches of shape to one of colour, in each direction
_OUTLINE = 64
_HALVES = (slice(0, 4), slice(4, 8))  # OpenCV is fastest with four channels
_DEVIATION = np.array([1.2, 3.0, 3.0], np.float32)  # deviations are smaller than means; of a and b the most


@dataclass(frozen=True, slots=True)
class PhotoDescriptors:
    """The descriptors of a photo: ``shape`` (n, SHAPE + PLACE), ``colour`` (m, COLOUR + PLACE), and its layout.

    ``edges`` has the shape (8, 8, ORIENTATIONS), ``tones`` (8, 8, 3) in OpenCV's Lab of 8 bits; ``proportions`` are
    128 + 40 times log2 of width over height.
    """

    shape: Rows
    colour: Rows
    edges: Rows
    tones: Rows
    proportions: int

    def packed(self) -> Rows:
        """One array of shape (LAYOUT_ROWS + n + m, COLUMNS): the layout, then shape, then colour."""
        rows = np.zeros((LAYOUT_ROWS + len(self.shape) + len(self.colour), COLUMNS), np.uint8)
        top = rows[:LAYOUT_ROWS].reshape(-1)
        top[:EDGES] = self.edges.ravel()
        top[EDGES : EDGES + TONES] = self.tones.ravel()
        top[EDGES + TONES] = self.proportions
        top[-_COUNT_BYTES:] = np.frombuffer(len(self.colour).to_bytes(_COUNT_BYTES, "little"), np.uint8)
        rows[LAYOUT_ROWS : LAYOUT_ROWS + len(self.shape)] = self.shape
        rows[LAYOUT_ROWS + len(self.shape) :, : COLOUR + PLACE] = self.colour
        return rows

    @classmethod
    def unpacked(cls, rows: Rows) -> Self:
        """The inverse of ``packed``; views of the array where possible."""
        top = rows[:LAYOUT_ROWS].reshape(-1)
        colours = int.from_bytes(top[-_COUNT_BYTES:].tobytes(), "little")
        shapes = len(rows) - LAYOUT_ROWS - colours
        return cls(
            rows[LAYOUT_ROWS : LAYOUT_ROWS + shapes],
            rows[LAYOUT_ROWS + shapes :, : COLOUR + PLACE],
            top[:EDGES].reshape(SECTORS, SECTORS, ORIENTATIONS),
            top[EDGES : EDGES + TONES].reshape(SECTORS, SECTORS, 3),
            int(top[EDGES + TONES]),
        )


def describe_dense(photo: Photo, side: int, steps: tuple[int, ...]) -> PhotoDescriptors:
    """Describe an RGB photo of any size, scaled to ``side`` pixels on its longest side.

    ``steps`` has a number for each scale: the distance between its patches in points of the lattice, CELL pixels apart.
    The bins of the first scale are one point apart, of the next two, then four. A photo without any structure has no
    descriptors.
    """
    proportions = 128.0 + 40.0 * np.log2(photo.shape[1] / photo.shape[0])
    least = orientation_maps.CELL * (GRID - 1) * 2 ** (len(steps) - 1) + 2 * orientation_maps.CELL
    lab = np.asarray(cv2.cvtColor(scale_photo(photo, side, orientation_maps.CELL, least), cv2.COLOR_RGB2LAB), np.uint8)
    found = orientation_maps.orientations(lab[:, :, 0])
    means = orientation_maps.means(lab)
    shape, colour = [], []
    for octave, step in enumerate(steps):
        spread = 2**octave
        if octave:
            found, means = orientation_maps.wider(found, spread // 2), orientation_maps.wider(means, spread // 2)
        strength = orientation_maps.patch_sums(found.sum(axis=2), spread)
        shape.append(_shape(np.sqrt(found), strength, spread, step))
        colour.append(_colour(means, strength, spread, step * _COLOUR_STEPS))
    return PhotoDescriptors(
        np.concatenate(shape),
        np.concatenate(colour),
        _edges(lab[:, :, 0]),
        np.asarray(cv2.resize(lab, (SECTORS, SECTORS), interpolation=cv2.INTER_AREA), np.uint8),
        int(np.clip(proportions, 0, 255)),
    )


def _shape(rooted: Floats, strength: Floats, spread: int, step: int) -> Rows:
    """Square roots at the lattice and one factor a patch: equal to roots of shares, at a fraction of the roots."""
    chosen = tuple(orientation_maps.starts(length, spread, step) for length in rooted.shape[:2])
    sums = strength[chosen]
    kept = sums > _FLAT_GRADIENT * SHAPE
    values = orientation_maps.patches(rooted, spread, step)[kept].reshape(-1, SHAPE)
    values *= (1.0 / np.sqrt(sums[kept]))[:, None]
    # No bin may exceed a fifth of the length, as in SIFT; here of the squares of these values.
    shares = values * values
    most = np.float32(0.2) * np.sqrt(np.einsum("ij,ij->i", shares, shares))
    np.minimum(values, np.sqrt(most)[:, None], out=values)
    values *= (np.float32(512.0) / np.sqrt(np.einsum("ij,ij->i", values, values)))[:, None]
    rows = np.empty((len(values), SHAPE + PLACE), np.uint8)
    rows[:, :SHAPE] = np.minimum(values, 255.0, out=values)
    rows[:, SHAPE:] = _places(kept, chosen, spread, rooted.shape)
    return rows


def _colour(means: Floats, strength: Floats, spread: int, step: int) -> Rows:
    chosen = tuple(orientation_maps.starts(length, spread, step) for length in means.shape[:2])
    kept = strength[chosen] > _FLAT_GRADIENT * SHAPE
    values = orientation_maps.patches(means, spread, step)[kept].reshape(-1, GRID * GRID, 6)
    mean, deviation = values[:, :, :3], values[:, :, 3:]
    deviation -= mean * mean
    np.sqrt(np.maximum(deviation, 0.0, out=deviation), out=deviation)
    np.minimum(deviation * _DEVIATION, 255.0, out=deviation)
    rows = np.empty((len(values), COLOUR + PLACE), np.uint8)
    rows[:, :COLOUR] = values.reshape(-1, COLOUR)
    rows[:, COLOUR:] = _places(kept, chosen, spread, means.shape)
    return rows


def _places(
    kept: NDArray[np.bool_], chosen: tuple[slice, ...], spread: int, points: tuple[int, ...]
) -> NDArray[np.float32]:
    """x and y of the centres of the patches kept, shape (n, 2), 0..255 across the photo."""
    places = np.empty((np.count_nonzero(kept), PLACE), np.float32)
    for column, (axis, index) in enumerate(zip((1, 0), np.nonzero(kept)[::-1], strict=True)):
        first = chosen[axis].start + (GRID - 1) * spread / 2 + 0.5
        places[:, column] = (index * chosen[axis].step + first) * (255.0 / points[axis])
    return places


def _edges(grey: Rows) -> Rows:
    """The edges of the photo at 64 x 64 pixels: outlines, no texture."""
    small = cv2.resize(grey, (_OUTLINE, _OUTLINE), interpolation=cv2.INTER_AREA)
    found = orientation_maps.orientations(np.asarray(small, np.uint8))
    halves = (cv2.resize(found[:, :, part], (SECTORS, SECTORS), interpolation=cv2.INTER_AREA) for part in _HALVES)
    edges = np.concatenate(list(halves), axis=2)
    return np.asarray(np.minimum(np.sqrt(edges / (edges.sum() + 1e-6)) * 512.0, 255.0), np.uint8)
