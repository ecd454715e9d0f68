"""Decode photos as sellers send them: bytes in, a small RGB array out, or BadImage with the reason.

The limits on bytes, pixels and formats are checked before anything is decoded. A JPEG is read at a fraction of its size
(``draft``), so that 94 megapixels need no more memory than 2.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.domain.errors import BadImage
from pipeline.domain.photo_formats import PILLOW_FORMATS, unknown_format
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.features.extractor import Photo

MAX_SIDE = 256  # pixels
_ORIENTATION_TAG = 0x0112
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MORE_THAN_8_BIT_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """The maximum size of a photo, in bytes and in pixels.

    ``full_pixels`` is the limit for formats that, unlike JPEG, can only be decoded at full size.
    """

    bytes: int = 40_000_000
    pixels: int = 120_000_000
    full_pixels: int = 40_000_000


DEFAULT_LIMITS = DecodingLimits()


def decode_photo(content: bytes, side: int = MAX_SIDE, limits: DecodingLimits = DEFAULT_LIMITS) -> Photo:
    """Decode to RGB, uint8, shape (height, width, 3), upright, at most ``side`` pixels wide and high (never enlarged).

    Transparent parts become white; of an animation, the first frame is used. Raises BadImage with the reason.
    """
    _check_content(content, limits)
    try:
        image = _open(content)
        _check_size(image, limits)
        return _decode(image, side)
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage(unknown_format(content)) from None
    except Image.DecompressionBombError:
        raise BadImage(Reason.of(ReasonCode.PHOTO_FAR_TOO_MANY_PIXELS, limit=limits.pixels)) from None
    except MemoryError:
        raise
    except Exception as error:  # the decoders raise nearly anything on damaged files
        message = str(error) or type(error).__name__
        raise BadImage(Reason.of(ReasonCode.PHOTO_DAMAGED, error=message)) from error


def _check_content(content: bytes, limits: DecodingLimits) -> None:
    if not content:
        raise BadImage(Reason(ReasonCode.PHOTO_EMPTY))
    if len(content) > limits.bytes:
        raise BadImage(Reason.of(ReasonCode.PHOTO_TOO_LARGE, size=len(content), limit=limits.bytes))
    start = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise BadImage(Reason(ReasonCode.PHOTO_WEB_PAGE))


def _open(content: bytes) -> Image.Image:
    with warnings.catch_warnings():
        # Pillow warns above its own limit; ours is checked by ``_check_size``.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(content), formats=PILLOW_FORMATS)


def _check_size(image: Image.Image, limits: DecodingLimits) -> None:
    limit = limits.pixels if image.format in ("JPEG", "MPO") else limits.full_pixels
    pixels = image.width * image.height
    if pixels > limit:
        reason = Reason.of(ReasonCode.PHOTO_TOO_MANY_PIXELS, width=image.width, height=image.height, limit=limit)
        raise BadImage(reason)
    if pixels == 0:
        raise BadImage(Reason(ReasonCode.PHOTO_NO_PIXELS))


def _decode(image: Image.Image, side: int) -> Photo:
    scale = min(1.0, side / max(image.size))
    target_size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    transposition = _TRANSPOSITIONS.get(_orientation(image))
    # At twice the target size, the mean difference from a full decode is 0.4 grey levels, in a third of the time.
    image.draft("RGB", (2 * target_size[0], 2 * target_size[1]))
    resized = _eight_bits(image)
    if resized.size != target_size:
        resized = resized.resize(target_size, Image.Resampling.BICUBIC)
    if resized.mode == "RGBA":
        white = Image.new("RGBA", resized.size, "white")
        resized = Image.alpha_composite(white, resized)
    if transposition is not None:
        resized = resized.transpose(transposition)
    return np.array(resized.convert("RGB"), dtype=np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - unreadable EXIF does not mean unreadable pixels
        return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image in a mode that can be resized: RGB, L, or RGBA if anything may be transparent."""
    if image.mode in _MORE_THAN_8_BIT_MODES:
        values = np.asarray(image, dtype=np.float32)
        maximum = float(values.max(initial=0.0))
        # 16-bit images use 0..65535, floating point mostly 0..1; everything else is 0..255 already.
        scale = 255.0 / 65535.0 if maximum > 255 else (255.0 if image.mode == "F" and maximum <= 1 else 1.0)
        return Image.fromarray(np.clip(values * scale, 0, 255).astype(np.uint8))
    if "transparency" in image.info or image.mode in ("RGBA", "RGBa", "LA", "La", "PA"):
        return image.convert("RGBA")
    return image if image.mode in ("RGB", "L") else image.convert("RGB")
