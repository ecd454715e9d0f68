"""Whether bytes are a usable picture, judged by the bytes alone."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from pipeline.domain.errors import BadImage
from pipeline.domain.photo_formats import MEDIA_TYPES, READERS, named_kind


class NotEvenOne(BadImage):
    """Nothing, or a web page: what a host gives that is out of order, though it may be what lies there."""


def check_picture(content: bytes, max_bytes: int, max_pixels: int) -> str:
    """The media type of a picture, from its header; only the header is decoded.

    Raises BadImage in plain words: of no known kind, more than ``max_bytes`` or ``max_pixels``; and NotEvenOne for
    what is empty or a web page.
    """
    if not content:
        raise NotEvenOne("the photo is empty (0 bytes)")
    if len(content) > max_bytes:
        raise BadImage(f"the photo is too large: {len(content)} bytes, at most {max_bytes}")
    try:
        with Image.open(io.BytesIO(content), formats=READERS) as picture:
            (width, height), kind = picture.size, picture.format or ""
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(f"the photo has far more than {max_pixels} pixels") from error
    except UnidentifiedImageError as error:
        if _looks_like_html(content):
            raise NotEvenOne("the photo is a web page (HTML), not a picture") from error
        raise BadImage(_what_it_is(content)) from error
    except Exception as error:  # decoders of hostile bytes raise whatever they like
        raise BadImage(f"the photo's header is damaged: {error}") from error
    if width * height > max_pixels:
        raise BadImage(f"the photo has too many pixels: {width} × {height}, at most {max_pixels} in all")
    return MEDIA_TYPES[kind]


def sniff(content: bytes) -> str:
    """The media type by content: a picture's own, ``text/html``, or ``application/octet-stream``."""
    try:
        return check_picture(content, len(content) + 1, 2**62)
    except BadImage:
        return "text/html" if _looks_like_html(content) else "application/octet-stream"


def _what_it_is(content: bytes) -> str:
    kind = named_kind(content)
    if kind is not None:
        return f"the photo is {kind}; give a JPEG, PNG or WebP"
    return "the photo is of no known kind; give a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF"


def _looks_like_html(content: bytes) -> bool:
    start = content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start
