"""Trim the empty margin of a photo and scale the rest, so that products appear at similar sizes."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.features.extractor import Photo

BORDER_TOLERANCE = 12  # grey levels in any channel from the colour of the border: paper, and JPEG artefacts
MIN_BORDER_SHARE = 0.9  # share of the border's pixels that are of one colour; with fewer there is no margin
MAX_CONTENT_SHARE = 0.01  # share of the pixels of a row or column that may differ in the margin: dust, a watermark
PADDING_SHARE = 0.03  # of the content's longer side, left around it
MIN_TRIMMED_SIDE = 16  # pixels a side, below which nothing is trimmed


def trim_margin(photo: Photo) -> Photo:
    """The photo without its empty rows and columns, when its whole border is of one colour.

    Other photos are returned as they are: nothing is guessed about a scene.
    """
    border = np.concatenate([photo[0], photo[-1], photo[:, 0], photo[:, -1]]).astype(np.int16)
    colour = np.median(border, axis=0).astype(np.int16)
    if (np.abs(border - colour).max(axis=1) < BORDER_TOLERANCE).mean() < MIN_BORDER_SHARE:
        return photo
    # OpenCV takes a tenth of numpy's time here: three channels are too short an axis for numpy.
    low, high = (np.clip(colour + by, 0, 255).astype(float) for by in (1 - BORDER_TOLERANCE, BORDER_TOLERANCE - 1))
    plain = cv2.inRange(np.ascontiguousarray(photo), tuple(low), tuple(high))
    shares = (cv2.reduce(plain, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel() / 255.0 for axis in (1, 0))
    rows, columns = (np.flatnonzero(share < 1.0 - MAX_CONTENT_SHARE) for share in shares)
    if not len(rows) or not len(columns):
        return photo
    padding = max(2, round(PADDING_SHARE * max(rows[-1] - rows[0], columns[-1] - columns[0])))
    kept = tuple(slice(max(0, int(part[0]) - padding), int(part[-1]) + 1 + padding) for part in (rows, columns))
    return np.ascontiguousarray(photo[kept]) if min(photo[kept].shape[:2]) >= MIN_TRIMMED_SIDE else photo


def scale_photo(photo: Photo, side: int, multiple: int, min_side: int) -> Photo:
    """``side`` pixels on the longest side; both sides a multiple of ``multiple``, and at least ``min_side`` pixels."""
    height, width = photo.shape[:2]
    scale = side / max(height, width)
    wide, high = (max(min_side, round(length * scale / multiple) * multiple) for length in (width, height))
    if (wide, high) == (width, height):
        return photo
    shrinks = wide < width
    resized = cv2.resize(photo, (wide, high), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)
