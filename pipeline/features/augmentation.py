"""Augmented views of training photos: mirrored, and slightly rotated, zoomed, shifted, made brighter or darker.

A view depends only on the digest of the photo, the seed and the view number, so a training uses the same views
regardless of the order of its photos. Only training uses views; photos are scored unchanged.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.features.extractor import Photo

_MAX_ROTATION = 8.0  # degrees either way: more than an unsteady hand, less than another pose
_MAX_ZOOM, _MIN_ZOOM = 1.25, 0.95
_MAX_SHIFT = 0.06  # of the side, either way
_MAX_BRIGHTNESS = 0.15  # of the full scale, either way
_MAX_CONTRAST = 0.2  # relative to the photo's own, either way


@dataclass(frozen=True, slots=True)
class PhotoTransform:
    """The parameters of a view: ``rotation`` in degrees, ``zoom`` as a factor, ``shift`` in shares of the sides.

    ``contrast`` multiplies the difference from the photo's mean, then ``brightness`` is added, on a scale of 0..1.
    """

    mirrored: bool
    rotation: float
    zoom: float
    shift: tuple[float, float]
    brightness: float
    contrast: float


def draw_transform(digest: bytes, number: int, seed: int) -> PhotoTransform:
    """Draw the parameters of view ``number`` (0, 1, …) of the photo with this digest; every other view is mirrored."""
    key = hashlib.sha256(b"%b:%d:%d" % (digest, number, seed)).digest()
    rng = np.random.default_rng(int.from_bytes(key[:16], "big"))
    zoom = float(np.exp(rng.uniform(np.log(_MIN_ZOOM), np.log(_MAX_ZOOM))))
    x, y = rng.uniform(-_MAX_SHIFT, _MAX_SHIFT, 2)
    rotation, brightness = (
        float(rng.uniform(-_MAX_ROTATION, _MAX_ROTATION)),
        float(rng.uniform(-_MAX_BRIGHTNESS, _MAX_BRIGHTNESS)),
    )
    return PhotoTransform(
        number % 2 == 0,
        rotation,
        zoom,
        (float(x), float(y)),
        brightness,
        float(1 + rng.uniform(-_MAX_CONTRAST, _MAX_CONTRAST)),
    )


def apply_transform(photo: Photo, transform: PhotoTransform) -> Photo:
    """Compute the view: RGB, uint8, in the shape of the photo. Pixels beyond the photo replicate its border."""
    height, width = photo.shape[:2]
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, transform.rotation, transform.zoom)
    matrix[:, 2] += (transform.shift[0] * width, transform.shift[1] * height)
    source = photo[:, ::-1] if transform.mirrored else photo
    moved = cv2.warpAffine(
        np.ascontiguousarray(source), matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    values = moved.astype(np.float32)
    mean = float(values.mean())
    adjusted = (values - mean) * transform.contrast + mean + 255.0 * transform.brightness
    return np.asarray(np.clip(adjusted, 0, 255), np.uint8)
