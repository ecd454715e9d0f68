"""Stored photos as they are shown: every kind that is taken, with the light and dark it has."""

from __future__ import annotations

import io
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from api.thumbnails import encode
from api.uploads.routes import ImageType
from pipeline.domain.photo_formats import MEDIA_TYPES, PILLOW_FORMATS
from pipeline.features import photo_decoding

RAMP = np.linspace(0, 1, 64 * 48).reshape(48, 64)


def file_of(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def shown(content: bytes) -> float:
    """The mean of the shown photo, 0 (black) to 255."""
    with Image.open(io.BytesIO(encode(content, 1_000_000))) as opened:
        return float(np.asarray(opened.convert("L")).mean())


@pytest.mark.parametrize("kind", PILLOW_FORMATS)
def test_what_is_taken_is_shown_and_described(kind: str) -> None:
    content = file_of(Image.fromarray((RAMP * 255).astype(np.uint8)).convert("RGB"), kind)
    assert shown(content) == pytest.approx(127, abs=4)
    assert photo_decoding.decode_photo(content).mean() == pytest.approx(127, abs=4)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((RAMP * 65535).astype(np.uint16), "PNG"),
        (RAMP.astype(np.float32), "TIFF"),
        ((RAMP * 65535).astype(np.int32), "TIFF"),
    ],
)
def test_more_than_eight_bits_are_neither_white_nor_black(values: np.ndarray, kind: str) -> None:
    assert shown(file_of(Image.fromarray(values), kind)) == pytest.approx(127, abs=4)


def test_an_upload_may_be_of_every_kind() -> None:
    assert set(get_args(ImageType)) == set(MEDIA_TYPES.values())
