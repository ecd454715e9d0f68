"""The accepted photo formats, for uploads, fetches, extractors and pages."""

from __future__ import annotations

from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

# By Pillow's format names. MPO is a JPEG with a second view inside; Pillow's JPEG reader recognises it.
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
}
PILLOW_FORMATS = tuple(kind for kind in MEDIA_TYPES if kind != "MPO")
# HEIF brands (in the first box of a file); many phones save photos in this format.
_HEIF_BRANDS = (b"heic", b"heix", b"heif", b"hevc", b"mif1", b"msf1")


def unknown_format(content: bytes) -> Reason:
    """The reason why a file in none of these formats is refused."""
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS:
        return Reason(ReasonCode.PHOTO_HEIC)
    if b"<svg" in content[:1000].lower():
        return Reason(ReasonCode.PHOTO_SVG)
    return Reason.of(ReasonCode.PHOTO_UNKNOWN_FORMAT, formats=PILLOW_FORMATS)
