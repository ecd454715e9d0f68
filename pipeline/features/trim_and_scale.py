"""Trim the empty margin of a photo and scale the rest, so that products appear at similar sizes."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.features.extractor import Photo

BORDER_TOLERANCE = 12  # maximum difference from the border colour, per channel: paper texture, JPEG artefacts
MIN_BORDER_SHARE = 0.9  # share of the border pixels of one colour; below it, the photo has no margin
MAX_CONTENT_SHARE = 0.01  # share of the pixels of a margin row or column that may differ: dust, a watermark
PADDING_SHARE = 0.03  # of the longer side of the content, kept around it
MIN_TRIMMED_SIDE = 16  # pixels; smaller results are not trimmed


def trim_margin(photo: Photo) -> Photo:
    """Remove the empty margin of a photo whose border is of one colour.

    Other photos, such as scenes, are returned unchanged.
    """
    border = np.concatenate([photo[0], photo[-1], photo[:, 0], photo[:, -1]]).astype(np.int16)
    colour = np.median(border, axis=0).astype(np.int16)
    if (np.abs(border - colour).max(axis=1) < BORDER_TOLERANCE).mean() < MIN_BORDER_SHARE:
        return photo
    # OpenCV is ten times as fast as numpy here: an axis of three channels is too short for numpy.
    lowest, highest = (
        np.clip(colour + offset, 0, 255).astype(float) for offset in (1 - BORDER_TOLERANCE, BORDER_TOLERANCE - 1)
    )
    is_margin = cv2.inRange(np.ascontiguousarray(photo), tuple(lowest), tuple(highest))
    margin_shares = (cv2.reduce(is_margin, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel() / 255.0 for axis in (1, 0))
    rows, columns = (np.flatnonzero(margin_share < 1.0 - MAX_CONTENT_SHARE) for margin_share in margin_shares)
    if not len(rows) or not len(columns):
        return photo
    padding = max(2, round(PADDING_SHARE * max(rows[-1] - rows[0], columns[-1] - columns[0])))
    content = tuple(slice(max(0, int(span[0]) - padding), int(span[-1]) + 1 + padding) for span in (rows, columns))
    return np.ascontiguousarray(photo[content]) if min(photo[content].shape[:2]) >= MIN_TRIMMED_SIDE else photo


def scale_photo(photo: Photo, side: int, multiple: int, min_side: int) -> Photo:
    """Scale to ``side`` pixels on the longest side; both sides are multiples of ``multiple``, at least ``min_side``."""
    height, width = photo.shape[:2]
    scale = side / max(height, width)
    new_width, new_height = (max(min_side, round(length * scale / multiple) * multiple) for length in (width, height))
    if (new_width, new_height) == (width, height):
        return photo
    shrinks = new_width < width
    resized = cv2.resize(photo, (new_width, new_height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)
