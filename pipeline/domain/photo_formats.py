"""The accepted formats of photos, for uploads, fetches, extractors and pages alike."""

from __future__ import annotations

from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

# Pillow's names. MPO is a JPEG with a second view inside; the JPEG reader recognises it.
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
READERS = tuple(kind for kind in MEDIA_TYPES if kind != "MPO")
# HEIF brands (in the first box of a file), the format of many phones.
_HEIF = (b"heic", b"heix", b"heif", b"hevc", b"mif1", b"msf1")


def unknown_format(content: bytes) -> Reason:
    """The reason why a file of none of these formats is refused."""
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF:
        return Reason(ReasonCode.PHOTO_HEIC)
    if b"<svg" in content[:1000].lower():
        return Reason(ReasonCode.PHOTO_SVG)
    return Reason.of(ReasonCode.PHOTO_UNKNOWN_FORMAT, formats=READERS)
