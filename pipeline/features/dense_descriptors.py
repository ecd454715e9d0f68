"""Local descriptors of a photo on a regular grid, root-SIFT and colour with their positions, and its overall layout.

Shape: the square roots of 4 x 4 bins of eight orientations, normalised to sum 1 (Arandjelović and Zisserman, CVPR
2012), at several scales of one lattice. Colour: mean and deviation of Lab in 4 x 4 cells (Perronnin et al. 2010).
Layout: a coarse relative of GIST (Oliva and Torralba 2001). Flat patches, such as white backgrounds, are left out
before anything is computed for them.
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
SECTORS = 8  # the layout has 8 x 8 sectors
EDGES = SECTORS * SECTORS * ORIENTATIONS
TONES = SECTORS * SECTORS * 3
_COUNT_BYTES = 4  # size of the stored number of colour rows
LAYOUT_ROWS = -(-(EDGES + TONES + 1 + _COUNT_BYTES) // COLUMNS)  # rows before the first descriptor

_MIRRORED_BINS = np.arange(GRID * GRID).reshape(GRID, GRID)[:, ::-1].ravel()
MIRRORED_ORIENTATIONS = (ORIENTATIONS // 2 - np.arange(ORIENTATIONS)) % ORIENTATIONS  # orientations after mirroring
SHAPE_MIRROR: NDArray[np.int64] = (_MIRRORED_BINS[:, None] * ORIENTATIONS + MIRRORED_ORIENTATIONS).ravel()
COLOUR_MIRROR: NDArray[np.int64] = (_MIRRORED_BINS[:, None] * 6 + np.arange(6)).ravel()

_FLAT_GRADIENT = 0.24  # mean per orientation and bin, in grey levels per pixel: a gradient of about 1.5
_COLOUR_STEPS = 2  # shape patches per colour patch, in each direction
_OUTLINE_SIDE = 64
_ORIENTATION_HALVES = (slice(0, 4), slice(4, 8))  # OpenCV is fastest with four channels
_DEVIATION_SCALE = np.array([1.2, 3.0, 3.0], np.float32)  # deviations are smaller than means, those of a and b most


@dataclass(frozen=True, slots=True)
class PhotoDescriptors:
    """The descriptors of a photo: ``shape`` (n, SHAPE + PLACE), ``colour`` (m, COLOUR + PLACE), and its layout.

    ``edges`` has the shape (8, 8, ORIENTATIONS), ``tones`` (8, 8, 3) in OpenCV's 8-bit Lab; ``proportions`` is
    128 + 40 * log2(width / height).
    """

    shape: Rows
    colour: Rows
    edges: Rows
    tones: Rows
    proportions: int

    def packed(self) -> Rows:
        """One array of shape (LAYOUT_ROWS + n + m, COLUMNS): the layout, then shape, then colour."""
        rows = np.zeros((LAYOUT_ROWS + len(self.shape) + len(self.colour), COLUMNS), np.uint8)
        header = rows[:LAYOUT_ROWS].reshape(-1)
        header[:EDGES] = self.edges.ravel()
        header[EDGES : EDGES + TONES] = self.tones.ravel()
        header[EDGES + TONES] = self.proportions
        header[-_COUNT_BYTES:] = np.frombuffer(len(self.colour).to_bytes(_COUNT_BYTES, "little"), np.uint8)
        rows[LAYOUT_ROWS : LAYOUT_ROWS + len(self.shape)] = self.shape
        rows[LAYOUT_ROWS + len(self.shape) :, : COLOUR + PLACE] = self.colour
        return rows

    @classmethod
    def unpacked(cls, rows: Rows) -> Self:
        """The inverse of ``packed``; views of the array where possible."""
        header = rows[:LAYOUT_ROWS].reshape(-1)
        n_colour = int.from_bytes(header[-_COUNT_BYTES:].tobytes(), "little")
        n_shape = len(rows) - LAYOUT_ROWS - n_colour
        return cls(
            rows[LAYOUT_ROWS : LAYOUT_ROWS + n_shape],
            rows[LAYOUT_ROWS + n_shape :, : COLOUR + PLACE],
            header[:EDGES].reshape(SECTORS, SECTORS, ORIENTATIONS),
            header[EDGES : EDGES + TONES].reshape(SECTORS, SECTORS, 3),
            int(header[EDGES + TONES]),
        )


def describe_dense(photo: Photo, side: int, steps: tuple[int, ...]) -> PhotoDescriptors:
    """Describe an RGB photo of any size, scaled to ``side`` pixels on its longest side.

    ``steps`` has one number per scale: the distance between its patches, in points of the lattice, which are CELL
    pixels apart. The bins of the first scale are one point apart, those of the second two, then four. A photo without
    any structure has no descriptors.
    """
    proportions = 128.0 + 40.0 * np.log2(photo.shape[1] / photo.shape[0])
    min_side = orientation_maps.CELL * (GRID - 1) * 2 ** (len(steps) - 1) + 2 * orientation_maps.CELL
    scaled = scale_photo(photo, side, orientation_maps.CELL, min_side)
    lab = np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB), np.uint8)
    orientations = orientation_maps.orientations(lab[:, :, 0])
    means = orientation_maps.means(lab)
    shape, colour = [], []
    for octave, step in enumerate(steps):
        bin_distance = 2**octave
        if octave:
            orientations = orientation_maps.wider(orientations, bin_distance // 2)
            means = orientation_maps.wider(means, bin_distance // 2)
        strength = orientation_maps.patch_sums(orientations.sum(axis=2), bin_distance)
        shape.append(_shape(np.sqrt(orientations), strength, bin_distance, step))
        colour.append(_colour(means, strength, bin_distance, step * _COLOUR_STEPS))
    return PhotoDescriptors(
        np.concatenate(shape),
        np.concatenate(colour),
        _edges(lab[:, :, 0]),
        np.asarray(cv2.resize(lab, (SECTORS, SECTORS), interpolation=cv2.INTER_AREA), np.uint8),
        int(np.clip(proportions, 0, 255)),
    )


def _shape(rooted: Floats, strength: Floats, bin_distance: int, step: int) -> Rows:
    """Rows of root-SIFT from ``rooted``, the square roots of the lattice.

    Scaling these by one factor per patch gives the roots of the normalised bins, with far fewer square roots.
    """
    patch_starts = tuple(orientation_maps.starts(length, bin_distance, step) for length in rooted.shape[:2])
    sums = strength[patch_starts]
    is_kept = sums > _FLAT_GRADIENT * SHAPE
    values = orientation_maps.patches(rooted, bin_distance, step)[is_kept].reshape(-1, SHAPE)
    values *= (1.0 / np.sqrt(sums[is_kept]))[:, None]
    # As in SIFT, no bin may exceed a fifth of the length; the bins are the squares of these values.
    shares = values * values
    max_bin = np.float32(0.2) * np.sqrt(np.einsum("ij,ij->i", shares, shares))
    np.minimum(values, np.sqrt(max_bin)[:, None], out=values)
    values *= (np.float32(512.0) / np.sqrt(np.einsum("ij,ij->i", values, values)))[:, None]
    rows = np.empty((len(values), SHAPE + PLACE), np.uint8)
    rows[:, :SHAPE] = np.minimum(values, 255.0, out=values)
    rows[:, SHAPE:] = _places(is_kept, patch_starts, bin_distance, rooted.shape)
    return rows


def _colour(means: Floats, strength: Floats, bin_distance: int, step: int) -> Rows:
    patch_starts = tuple(orientation_maps.starts(length, bin_distance, step) for length in means.shape[:2])
    is_kept = strength[patch_starts] > _FLAT_GRADIENT * SHAPE
    values = orientation_maps.patches(means, bin_distance, step)[is_kept].reshape(-1, GRID * GRID, 6)
    mean, deviation = values[:, :, :3], values[:, :, 3:]
    deviation -= mean * mean
    np.sqrt(np.maximum(deviation, 0.0, out=deviation), out=deviation)
    np.minimum(deviation * _DEVIATION_SCALE, 255.0, out=deviation)
    rows = np.empty((len(values), COLOUR + PLACE), np.uint8)
    rows[:, :COLOUR] = values.reshape(-1, COLOUR)
    rows[:, COLOUR:] = _places(is_kept, patch_starts, bin_distance, means.shape)
    return rows


def _places(
    is_kept: NDArray[np.bool_], patch_starts: tuple[slice, ...], bin_distance: int, points: tuple[int, ...]
) -> NDArray[np.float32]:
    """x and y of the centres of the patches in ``is_kept``, shape (n, 2), 0..255 across the photo."""
    places = np.empty((np.count_nonzero(is_kept), PLACE), np.float32)
    for column, (axis, index) in enumerate(zip((1, 0), np.nonzero(is_kept)[::-1], strict=True)):
        first = patch_starts[axis].start + (GRID - 1) * bin_distance / 2 + 0.5
        places[:, column] = (index * patch_starts[axis].step + first) * (255.0 / points[axis])
    return places


def _edges(grey: Rows) -> Rows:
    """The edges of the photo scaled to 64 x 64 pixels: outlines without texture."""
    small = cv2.resize(grey, (_OUTLINE_SIDE, _OUTLINE_SIDE), interpolation=cv2.INTER_AREA)
    orientations = orientation_maps.orientations(np.asarray(small, np.uint8))
    halves = (
        cv2.resize(orientations[:, :, part], (SECTORS, SECTORS), interpolation=cv2.INTER_AREA)
        for part in _ORIENTATION_HALVES
    )
    edges = np.concatenate(list(halves), axis=2)
    return np.asarray(np.minimum(np.sqrt(edges / (edges.sum() + 1e-6)) * 512.0, 255.0), np.uint8)
