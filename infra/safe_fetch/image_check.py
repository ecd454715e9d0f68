"""Checks whether bytes are a usable image, whatever their declared content type."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from pipeline.domain.errors import BadImage
from pipeline.domain.photo_formats import MEDIA_TYPES, PILLOW_FORMATS, unknown_format
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode


class EmptyOrWebPage(BadImage):
    """No bytes, or a web page instead of an image: often a temporary failure of the host."""


def check_image(content: bytes, max_bytes: int, max_pixels: int) -> str:
    """Check an image and return its media type; only its header is decoded.

    Raises BadImage, with a reason for users, for an unknown format and for more than ``max_bytes`` or ``max_pixels``;
    EmptyOrWebPage for no bytes or a web page.
    """
    if not content:
        raise EmptyOrWebPage(Reason(ReasonCode.PHOTO_EMPTY))
    if len(content) > max_bytes:
        raise BadImage(Reason.of(ReasonCode.PHOTO_TOO_LARGE, size=len(content), limit=max_bytes))
    try:
        with Image.open(io.BytesIO(content), formats=PILLOW_FORMATS) as image:
            (width, height), image_format = image.size, image.format or ""
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(Reason.of(ReasonCode.PHOTO_FAR_TOO_MANY_PIXELS, limit=max_pixels)) from error
    except UnidentifiedImageError as error:
        if _looks_like_html(content):
            raise EmptyOrWebPage(Reason(ReasonCode.PHOTO_WEB_PAGE)) from error
        raise BadImage(unknown_format(content)) from error
    except Exception as error:
        raise BadImage(Reason.of(ReasonCode.PHOTO_HEADER_DAMAGED, error=str(error))) from error
    if width * height > max_pixels:
        raise BadImage(Reason.of(ReasonCode.PHOTO_TOO_MANY_PIXELS, width=width, height=height, limit=max_pixels))
    return MEDIA_TYPES[image_format]


def media_type_of(content: bytes) -> str:
    """The media type detected from the content: that of an image, ``text/html``, or ``application/octet-stream``."""
    try:
        return check_image(content, len(content) + 1, 2**62)
    except BadImage:
        return "text/html" if _looks_like_html(content) else "application/octet-stream"


def _looks_like_html(content: bytes) -> bool:
    start = content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start
