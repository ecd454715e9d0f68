"""Thumbnails of stored images, re-encoded so that metadata and malicious content of a file never reach a browser."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import cast

from PIL import Image, ImageOps

from infra.storage.storage_interface import FileTransferStorage
from pipeline.domain.errors import BadImage
from pipeline.domain.photo_formats import PILLOW_FORMATS

MAX_SIDE_PIXELS = 512
JPEG_QUALITY = 85
MAX_CACHED = 256
MAX_CONCURRENT_DECODES = 2
MODES_ABOVE_8_BITS = ("I", "F")  # prefixes


class ThumbnailCache:
    """Makes JPEGs of at most 512 pixels per side; caches the last used by storage key, whose content never changes."""

    def __init__(self, storage: FileTransferStorage, byte_limit: int, pixel_limit: int) -> None:
        self._storage = storage
        self._byte_limit = byte_limit
        self._pixel_limit = pixel_limit
        self._cached: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        # Decoding takes memory per pixel, so the photos of one page must not all be decoded at once.
        self._decode_slots = threading.Semaphore(MAX_CONCURRENT_DECODES)

    def get(self, storage_key: str) -> bytes:
        """The JPEG of a stored image; NotFound if the object does not exist, BadImage if it cannot be decoded."""
        with self._lock:
            if storage_key in self._cached:
                self._cached.move_to_end(storage_key)
                return self._cached[storage_key]
        content = self._storage.get(storage_key, self._byte_limit)
        with self._decode_slots:
            encoded = encode(content, self._pixel_limit)
        with self._lock:
            self._cached[storage_key] = encoded
            if len(self._cached) > MAX_CACHED:
                self._cached.popitem(last=False)
        return encoded


def encode(content: bytes, pixel_limit: int) -> bytes:
    """The first frame as an upright JPEG on white; BadImage if it cannot be decoded or has too many pixels."""
    try:
        with Image.open(io.BytesIO(content), formats=PILLOW_FORMATS) as image:
            if image.width * image.height > pixel_limit:
                raise BadImage(f"the image has {image.width} x {image.height} pixels, too many to show")
            image.draft("RGB", (MAX_SIDE_PIXELS, MAX_SIDE_PIXELS))
            upright = ImageOps.exif_transpose(_as_8_bits(image))
            upright.thumbnail((MAX_SIDE_PIXELS, MAX_SIDE_PIXELS))
            flat = _on_white(upright)
    except BadImage:
        raise
    except Exception as error:  # decoders raise many errors on malicious bytes
        raise BadImage("the stored image cannot be decoded") from error
    output = io.BytesIO()
    flat.save(output, "JPEG", quality=JPEG_QUALITY)
    return output.getvalue()


def _as_8_bits(image: Image.Image) -> Image.Image:
    """The image with 8 bits per channel; Pillow's own conversion turns everything above 255 white."""
    if not image.mode.startswith(MODES_ABOVE_8_BITS):
        return image
    floats = image.convert("F")
    _, maximum = cast(tuple[float, float], floats.getextrema())
    # 16-bit images have 0..65535, floating-point ones mostly 0..1; other values are already 0..255.
    scale = 255 / 65535 if maximum > 255 else (255.0 if image.mode == "F" and maximum <= 1 else 1.0)
    return floats.point(lambda value: value * scale + 0).convert("L")


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    flat = Image.new("RGB", rgba.size, "white")
    flat.paste(rgba, mask=rgba.getchannel("A"))
    return flat
