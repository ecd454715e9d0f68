"""The kinds of photos that are taken: one list for what is uploaded, fetched, described and shown."""

from __future__ import annotations

from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

# Pillow's names. MPO is the JPEG of cameras with a second view inside; the JPEG reader recognises it.
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
# The brands, in the first box of a file, of the photos that telephones keep.
_HEIF = (b"heic", b"heix", b"heif", b"hevc", b"mif1", b"msf1")


def unknown_format(content: bytes) -> Reason:
    """What a file is that no reader of photos knows."""
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF:
        return Reason(ReasonCode.PHOTO_HEIC)
    if b"<svg" in content[:1000].lower():
        return Reason(ReasonCode.PHOTO_SVG)
    return Reason.of(ReasonCode.PHOTO_UNKNOWN_FORMAT, formats=READERS)
