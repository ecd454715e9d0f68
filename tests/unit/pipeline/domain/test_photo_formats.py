"""Formats of photos that are refused: the reason says what the file is."""

from __future__ import annotations

import pytest

from pipeline.domain.photo_formats import PILLOW_FORMATS, unknown_format
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode


@pytest.mark.parametrize("brand", ["heic", "heix", "heif", "hevc", "mif1", "msf1"])
def test_a_photo_of_a_phone_is_recognised_by_its_brand(brand: str) -> None:
    assert unknown_format(b"\x00\x00\x00\x18ftyp" + brand.encode() + bytes(4)).code is ReasonCode.PHOTO_HEIC


@pytest.mark.parametrize("content", [b"", b"\x00\x00\x00\x18ftypmp42", b"\x00\x00\x00\x18freeheic", b"heic"])
def test_any_other_file_is_of_an_unknown_format(content: bytes) -> None:
    assert unknown_format(content) == Reason.of(ReasonCode.PHOTO_UNKNOWN_FORMAT, formats=PILLOW_FORMATS)


def test_a_drawing_is_recognised_near_its_beginning_in_any_case() -> None:
    assert unknown_format(b"<?xml version='1.0'?>\n<SVG width='1'>").code is ReasonCode.PHOTO_SVG
    assert unknown_format(b" " * 1000 + b"<svg").code is ReasonCode.PHOTO_UNKNOWN_FORMAT
