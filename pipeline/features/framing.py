"""Trimming the empty margin of a photo, so that a thing small in its photo is seen as large as one that fills it."""

from __future__ import annotations

import numpy as np

from pipeline.features.extractor import Photo

_TOLERANCE = 12  # grey levels in any channel, from the colour of the border: paper, and what JPEG makes of it
_PLAIN = 0.9  # of the border's pixels are of one colour, or the photo has no margin to speak of
_EMPTY = 0.01  # of the pixels of a row or column of the margin may differ: dust, a watermark's edge
_AIR = 0.03  # of the thing's longer side, left around it
_LEAST = 16  # pixels a side, below which nothing is trimmed


def trimmed(photo: Photo) -> Photo:
    """The photo without the rows and columns around the thing shown, when its whole border is of one colour.

    Photos of any other kind come back as they are: nothing is guessed about a scene.
    """
    border = np.concatenate([photo[0], photo[-1], photo[:, 0], photo[:, -1]]).astype(np.int16)
    colour = np.median(border, axis=0).astype(np.int16)
    if (np.abs(border - colour).max(axis=1) < _TOLERANCE).mean() < _PLAIN:
        return photo
    differs = np.abs(photo.astype(np.int16) - colour).max(axis=2) >= _TOLERANCE
    rows, columns = (np.flatnonzero(differs.mean(axis=axis) > _EMPTY) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return photo
    air = max(2, round(_AIR * max(rows[-1] - rows[0], columns[-1] - columns[0])))
    kept = tuple(slice(max(0, int(part[0]) - air), int(part[-1]) + 1 + air) for part in (rows, columns))
    return np.ascontiguousarray(photo[kept]) if min(photo[kept].shape[:2]) >= _LEAST else photo
