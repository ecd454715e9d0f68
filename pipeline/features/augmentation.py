"""Augmented views of training photos: mirrored, and slightly rotated, zoomed, shifted, brighter or darker.

A view is a function of the photo's digest, the seed and its number, so that a training uses the same views whatever the
order of its photos. Only training uses views; photos are scored as they are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.features.extractor import Photo

_TURN = 8.0  # degrees either way: more than an unsteady hand, less than another pose
_NEAREST, _FARTHEST = 1.25, 0.95  # zoom: a quarter nearer, a twentieth farther
_SHIFT = 0.06  # of the side, either way
_LIGHT = 0.15  # of the full scale, either way
_CONTRAST = 0.2  # of the photo's own, either way


@dataclass(frozen=True, slots=True)
class Change:
    """The changes that make a view of a photo: ``turn`` in degrees, ``zoom`` a factor, ``shift`` in shares of sides.

    ``contrast`` multiplies the distance to the photo's mean, then ``light`` is added on a scale of 0..1.
    """

    mirrored: bool
    turn: float
    zoom: float
    shift: tuple[float, float]
    light: float
    contrast: float


def draw_change(digest: bytes, number: int, seed: int) -> Change:
    """The change of view ``number`` (0, 1, …) of the photo with this digest; every other view is mirrored."""
    key = hashlib.sha256(b"%b:%d:%d" % (digest, number, seed)).digest()
    rng = np.random.default_rng(int.from_bytes(key[:16], "big"))
    zoom = float(np.exp(rng.uniform(np.log(_FARTHEST), np.log(_NEAREST))))
    x, y = rng.uniform(-_SHIFT, _SHIFT, 2)
    turn, light = float(rng.uniform(-_TURN, _TURN)), float(rng.uniform(-_LIGHT, _LIGHT))
    return Change(
        number % 2 == 0, turn, zoom, (float(x), float(y)), light, float(1 + rng.uniform(-_CONTRAST, _CONTRAST))
    )


def apply_change(photo: Photo, change: Change) -> Photo:
    """The view: RGB, uint8, in the photo's own shape. Beyond the photo its border is continued."""
    height, width = photo.shape[:2]
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, change.turn, change.zoom)
    matrix[:, 2] += (change.shift[0] * width, change.shift[1] * height)
    source = photo[:, ::-1] if change.mirrored else photo
    moved = cv2.warpAffine(
        np.ascontiguousarray(source), matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    values = moved.astype(np.float32)
    mean = float(values.mean())
    lit = (values - mean) * change.contrast + mean + 255.0 * change.light
    return np.asarray(np.clip(lit, 0, 255), np.uint8)
