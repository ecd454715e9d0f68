"""Images are checked by their bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from infra.safe_fetch.image_check import check_image, media_type_of
from pipeline.domain.errors import BadImage

HUGE = Path(__file__).resolve().parents[5] / "shared" / "data" / "edge" / "94-megapixel.jpg"


def drawn(kind: str, mode: str = "RGB", size: tuple[int, int] = (8, 6), **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (drawn("JPEG"), "image/jpeg"),
        (drawn("JPEG", "CMYK"), "image/jpeg"),
        (drawn("PNG", "RGBA"), "image/png"),
        (drawn("PNG", size=(1, 1)), "image/png"),
        (drawn("WEBP"), "image/webp"),
        (drawn("BMP"), "image/bmp"),
        (drawn("TIFF"), "image/tiff"),
        (drawn("GIF", "P", save_all=True, append_images=[Image.new("P", (8, 6), 1)]), "image/gif"),
    ],
)
def test_images_of_every_format_are_accepted(content: bytes, media_type: str) -> None:
    assert check_image(content, 10_000, 48) == media_type
    assert media_type_of(content) == media_type


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "0 bytes"),
        (b"\n <!DOCTYPE html><html>", "web page"),
        (b"<?xml version='1.0'?><svg>", "SVG"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1", "HEIC photo of a telephone; give a JPEG"),
        (b"%PDF-1.7", "of a known format"),
        (b"\x1f\x8b gzip", "of a known format"),
        (drawn("JPEG")[:15], "damaged|of a known format"),
        (drawn("ICO", size=(16, 16)), "of a known format"),
        (drawn("PNG", size=(9, 6)), "too many pixels: 9 × 6"),
        (drawn("PNG", size=(20_000, 20_000)), "pixels"),
        (b"x" * 2_000_000, "too large"),
    ],
)
def test_an_unusable_image_is_refused_with_a_reason(content: bytes, problem: str) -> None:
    with pytest.raises(BadImage, match=problem):
        check_image(content, 1_900_000, 48)


def test_html_is_named() -> None:
    assert media_type_of(b"<html><body>") == "text/html"
    assert media_type_of(b"whatever") == "application/octet-stream"


@pytest.mark.skipif(not HUGE.is_file(), reason="the shared data are not beside the checkout")
@pytest.mark.shared
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_photo_of_94_megapixels() -> None:
    content = HUGE.read_bytes()
    assert check_image(content, 20_000_000, 100_000_000) == "image/jpeg"
    with pytest.raises(BadImage, match="8484 × 11042"):
        check_image(content, 20_000_000, 50_000_000)
