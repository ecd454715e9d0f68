from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.domain.errors import BadImage
from pipeline.features.photo_decoding import MAX_SIDE, DecodingLimits, decode_photo


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def half_and_half(mode: str = "RGB", size: tuple[int, int] = (60, 40)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    image.paste("black", (0, 0, size[0] // 2, size[1]))
    return image.convert(mode)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_allowed_format_gives_rgb(kind: str) -> None:
    photo = decode_photo(encoded(half_and_half(), kind))
    assert photo.shape == (40, 60, 3)
    assert photo.dtype == np.uint8
    assert photo[20, 5].max() < 20
    assert photo[20, 55].min() > 235


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "I;16"])
def test_every_mode_of_png_is_read(mode: str) -> None:
    image = half_and_half("L") if mode == "I;16" else half_and_half(mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image, np.uint16) * 257)
    photo = decode_photo(encoded(image, "PNG"))
    assert photo[20, 5].max() < 20
    assert photo[20, 55].min() > 235


def test_cmyk_jpeg_keeps_its_colours() -> None:
    photo = decode_photo(encoded(half_and_half().convert("CMYK"), "JPEG"))
    assert photo[20, 5].max() < 60
    assert photo[20, 55].min() > 235


def test_transparent_parts_lie_over_white() -> None:
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert decode_photo(encoded(image, "PNG")).min() == 255


def test_the_first_frame_of_an_animation_is_read() -> None:
    first, second = Image.new("RGB", (30, 30), "red"), Image.new("RGB", (30, 30), "blue")
    photo = decode_photo(encoded(first, "GIF", save_all=True, append_images=[second]))
    assert photo[15, 15].tolist() == [255, 0, 0] or photo[15, 15][0] > 240


def test_exif_orientation_turns_the_photo_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = decode_photo(encoded(half_and_half(), "JPEG", exif=exif))
    assert photo.shape == (60, 40, 3)
    assert photo[5, 20].max() < 20
    assert photo[55, 20].min() > 235


def test_one_pixel_is_a_photo_and_is_not_enlarged() -> None:
    assert decode_photo(encoded(Image.new("RGB", (1, 1), "red"), "PNG")).tolist() == [[[255, 0, 0]]]


@pytest.mark.parametrize(
    ("size", "shape"), [((2000, 1000), (MAX_SIDE // 2, MAX_SIDE, 3)), ((5000, 2), (1, MAX_SIDE, 3))]
)
def test_large_photos_are_reduced(size: tuple[int, int], shape: tuple[int, int, int]) -> None:
    assert decode_photo(encoded(half_and_half(size=size), "JPEG")).shape == shape


def test_draft_reading_stays_close_to_a_full_decode() -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).resize(
        (1800, 1200), Image.Resampling.BICUBIC
    )
    content = encoded(image, "JPEG", quality=92)
    full = Image.open(io.BytesIO(content)).resize((MAX_SIDE, round(MAX_SIDE * 2 / 3)), Image.Resampling.BICUBIC)
    assert np.abs(decode_photo(content).astype(float) - np.asarray(full, float)).mean() < 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes"),
        (b"\n<!DOCTYPE html><html>not found</html>", "web page"),
        (b"what is this", "no photo of a known format"),
        (encoded(half_and_half(size=(400, 300)), "JPEG")[:900], "damaged or incomplete"),
        (encoded(half_and_half(size=(400, 300)), "PNG")[:300], "damaged or incomplete"),
    ],
)
def test_a_file_that_is_not_a_photo_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        decode_photo(content)


def test_limits_hold_before_anything_is_decoded() -> None:
    large = encoded(Image.new("1", (9000, 9000)), "PNG")
    with pytest.raises(BadImage, match="9000 × 9000, at most 40,000,000"):
        decode_photo(large)
    with pytest.raises(BadImage, match=r"too large: [\d,]+ bytes, at most 10"):
        decode_photo(large, limits=DecodingLimits(bytes=10))
    with pytest.raises(BadImage, match="pixels"):
        decode_photo(encoded(half_and_half(), "JPEG"), limits=DecodingLimits(pixels=100))
