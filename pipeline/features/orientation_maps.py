"""Orientation maps of a photo on a lattice of points four pixels apart, at the finest and at wider scales.

Dense SIFT bins gradients bilinearly: a bin has triangular weights around its centre (Vedaldi and Fulkerson, VLFeat's
``dsift``). Here the triangles are summed only at the points of one lattice, shared by all patches of all scales,
instead of at every pixel; a triangle of twice the width is a weighted sum of three narrower ones (linear B-splines are
refinable), so that wider scales cost next to nothing. Orientations are half-wave rectified derivatives in eight
directions, as in DAISY (Tola, Lepetit, Fua, PAMI 2010): sums of the derivatives and of their absolute values give all
eight, in integer arithmetic. Vertically, the triangles are computed on pairs of pixels.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CELL = 4  # pixels between points
ORIENTATIONS = 8
GRID = 4  # a patch has GRID x GRID bins, one per point
_INHIBITION = np.float32(0.3)
_NEXT = (np.arange(ORIENTATIONS) + 1) % ORIENTATIONS
_PREVIOUS = (np.arange(ORIENTATIONS) - 1) % ORIENTATIONS
_DIAGONAL = np.float32(np.sqrt(0.5))


def orientations(grey: NDArray[np.uint8]) -> Floats:
    """Grey levels of shape (height, width), multiples of CELL, to (height / CELL, width / CELL, ORIENTATIONS).

    In grey levels per pixel, averaged over a triangle two cells wide. Orientation 0 points right, 2 down.
    """
    height, width = grey.shape
    levels = grey.astype(np.int16)
    maps = np.zeros((6, height, width), np.int16)
    right, down = maps[0], maps[1]
    np.subtract(levels[:, 2:], levels[:, :-2], out=right[:, 1:-1])
    np.subtract(levels[2:], levels[:-2], out=down[1:-1])
    np.add(right, down, out=maps[4])
    np.subtract(down, right, out=maps[5])
    np.abs(maps[4:], out=maps[4:])
    np.abs(maps[:2], out=maps[2:4])
    signed_x, signed_y, right_sum, down_sum, falling, rising = _pooled(maps)
    planes = np.empty((ORIENTATIONS, height // CELL, width // CELL), np.float32)
    directions = (
        (right_sum, signed_x),
        (falling * _DIAGONAL, (signed_x + signed_y) * _DIAGONAL),
        (down_sum, signed_y),
        (rising * _DIAGONAL, (signed_y - signed_x) * _DIAGONAL),
    )
    for index, (absolute, signed) in enumerate(directions):
        # (|d| + d) / 2 is d where it is positive, else 0; (|d| - d) / 2 belongs to the opposite direction.
        np.add(absolute, signed, out=planes[index])
        np.subtract(absolute, signed, out=planes[index + ORIENTATIONS // 2])
    # A derivative responds to all directions within 90 degrees; part of the neighbouring responses is subtracted.
    planes -= _INHIBITION * (planes[_NEXT] + planes[_PREVIOUS])
    return np.ascontiguousarray(np.maximum(planes, 0.0, out=planes).transpose(1, 2, 0))


def means(planes: NDArray[np.uint8]) -> Floats:
    """Means and squares of three channels over each cell: (height, width, 3) to (height / CELL, width / CELL, 6)."""
    height, width = planes.shape[:2]
    # Half the resolution is enough for the deviation of colours, at a quarter of the cost.
    half_size = cv2.resize(planes, (width // 2, height // 2), interpolation=cv2.INTER_AREA).astype(np.float32)
    size = (width // CELL, height // CELL)
    cell_means = [
        cv2.resize(values, size, interpolation=cv2.INTER_AREA) for values in (half_size, half_size * half_size)
    ]
    return np.concatenate(cell_means, axis=2)


def wider(field: Floats, scale: int) -> Floats:
    """Sums over triangles of twice the width, from those ``scale`` cells wide, at the same points; 0 outside."""
    for axis in (0, 1):
        quarter_field = field * np.float32(0.25)
        field = field * np.float32(0.5)
        before, after = _slices(axis, slice(None, -scale)), _slices(axis, slice(scale, None))
        field[after] += quarter_field[before]
        field[before] += quarter_field[after]
    return field


def starts(length: int, bin_distance: int, step: int) -> slice:
    """Positions on ``length`` points where patches with bins ``bin_distance`` points apart start, centred."""
    last = length - (GRID - 1) * bin_distance - 1
    return slice(last % step // 2, last + 1, step)


def patches(field: Floats, bin_distance: int, step: int) -> Floats:
    """A view of shape (rows, columns, GRID, GRID, channels): the bins of every patch that begins at ``starts``."""
    rows, columns = (starts(length, bin_distance, step) for length in field.shape[:2])
    row_stride, column_stride, channel_stride = field.strides
    return as_strided(
        field[rows.start :, columns.start :],
        (
            *(len(range(starts_of_axis.start, starts_of_axis.stop, step)) for starts_of_axis in (rows, columns)),
            GRID,
            GRID,
            field.shape[2],
        ),
        (
            row_stride * step,
            column_stride * step,
            row_stride * bin_distance,
            column_stride * bin_distance,
            channel_stride,
        ),
        writeable=False,
    )


def patch_sums(field: Floats, bin_distance: int) -> Floats:
    """The sum over the bins of the patch that begins at each point of ``field``, a map without channels."""
    for axis in (0, 1):
        count = field.shape[axis] - (GRID - 1) * bin_distance
        field = sum(  # type: ignore[assignment]
            field[_slices(axis, slice(index * bin_distance, index * bin_distance + count))] for index in range(GRID)
        )
    return field


def _pooled(maps: NDArray[np.int16]) -> Floats:
    """Sums over triangles eight pixels wide, four apart: vertically in integers, horizontally by a matrix product."""
    count, height, width = maps.shape
    pairs = maps[:, 0::2] + maps[:, 1::2]
    upper, lower = pairs[:, 0::2], pairs[:, 1::2]
    rows = (upper + lower) * np.int16(3)  # weights 1 3 3 1 of pairs: at most 16 * 510, which fits in 16 bits
    rows[:, 1:] += lower[:, :-1]
    rows[:, :-1] += upper[:, 1:]
    pooled = rows.reshape(-1, width).astype(np.float32) @ _triangles(width)
    return pooled.reshape(count, height // CELL, width // CELL)


@lru_cache(maxsize=128)
def _triangles(width: int) -> Floats:
    """Triangular weights of each pixel column at each point: shape (width, width / CELL)."""
    centres = (np.arange(width // CELL) + 0.5) * CELL
    distance = np.abs(np.arange(width)[:, None] + 0.5 - centres[None, :])
    weights = np.maximum(1.0 - distance / CELL, 0.0) / CELL
    # Vertical weights sum to 16, derivatives span two pixels, and a rectified derivative is half of |d| + d.
    return (weights / (16 * 2 * 2)).astype(np.float32)


def _slices(axis: int, part: slice) -> tuple[slice, ...]:
    return (slice(None),) * axis + (part,)
