"""Thumbnails of stored images, re-encoded so that nothing hidden in a file reaches a browser."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import cast

from PIL import Image, ImageOps

from infra.storage.storage_interface import FileStorage
from pipeline.domain.errors import BadImage
from pipeline.domain.photo_formats import PILLOW_FORMATS

MAX_SIDE = 512
QUALITY = 85
KEPT = 256
AT_ONCE = 2
WIDE_MODES = ("I", "F")


class ThumbnailCache:
    """JPEGs of at most 512 pixels a side; the latest are kept in memory by storage key, whose content never changes."""

    def __init__(self, storage: FileStorage, byte_limit: int, pixel_limit: int) -> None:
        self._storage = storage
        self._byte_limit = byte_limit
        self._pixel_limit = pixel_limit
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        # Decoding takes memory for every pixel, so a page full of photos must not decode them all at once.
        self._slots = threading.Semaphore(AT_ONCE)

    def get(self, storage_key: str) -> bytes:
        """The JPEG of a stored image; NotFound without an object, BadImage when it cannot be decoded."""
        with self._lock:
            if storage_key in self._kept:
                self._kept.move_to_end(storage_key)
                return self._kept[storage_key]
        content = self._storage.get(storage_key, self._byte_limit)
        with self._slots:
            encoded = encode(content, self._pixel_limit)
        with self._lock:
            self._kept[storage_key] = encoded
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return encoded


def encode(content: bytes, pixel_limit: int) -> bytes:
    """The first frame as an upright JPEG on white; BadImage when it cannot be decoded or has too many pixels."""
    try:
        with Image.open(io.BytesIO(content), formats=PILLOW_FORMATS) as opened:
            if opened.width * opened.height > pixel_limit:
                raise BadImage(f"the image has {opened.width} x {opened.height} pixels, too many to show")
            opened.draft("RGB", (MAX_SIDE, MAX_SIDE))
            upright = ImageOps.exif_transpose(_eight_bits(opened))
            upright.thumbnail((MAX_SIDE, MAX_SIDE))
            flat = _on_white(upright)
    except BadImage:
        raise
    except Exception as error:  # decoders raise many errors on malicious bytes
        raise BadImage("the stored image cannot be decoded") from error
    written = io.BytesIO()
    flat.save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image with 8 bits per channel; Pillow alone would turn everything above 255 white."""
    if not image.mode.startswith(WIDE_MODES):
        return image
    wide = image.convert("F")
    _, top = cast(tuple[float, float], wide.getextrema())
    # 16-bit scanners write 0..65535, floating point is mostly 0..1, and the rest is 0..255 already.
    scale = 255 / 65535 if top > 255 else (255.0 if image.mode == "F" and top <= 1 else 1.0)
    return wide.point(lambda value: value * scale + 0).convert("L")


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    flat = Image.new("RGB", layer.size, "white")
    flat.paste(layer, mask=layer.getchannel("A"))
    return flat
