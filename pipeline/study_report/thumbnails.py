"""Photos of a report made small: one sheet for the maps, and pictures inside the page for examples."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from pipeline.domain.errors import BadImage
from pipeline.features.photo_decoding import decode_photo

CELL = 80
COLUMNS = 32
EXAMPLE_SIDE = 112
SHEET_QUALITY, EXAMPLE_QUALITY = 62, 70
THREADS = 2
Photos = Callable[[int], bytes | None]


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """``sheet`` is a WebP of square cells, ``COLUMNS`` a line (empty without photos).

    ``cells`` says which cell of it holds the photo of a row.
    ``examples`` are data URIs, by row.
    """

    sheet: bytes = b""
    cells: dict[int, int] = field(default_factory=dict)
    examples: dict[int, str] = field(default_factory=dict)

    @property
    def sheet_uri(self) -> str:
        """The sheet inside the page; empty without one."""
        return _uri(self.sheet, "webp") if self.sheet else ""


def make(photos: Photos, on_maps: Sequence[int], as_examples: Iterable[int]) -> Thumbnails:
    """Read each photo once. One that is missing or cannot be read is left out.

    ``photos`` is called from ``THREADS`` threads.
    """
    examples = set(as_examples)

    def reduce(row: int) -> tuple[int, Image.Image, str] | None:
        content = photos(row)
        if content is None:
            return None
        try:
            image = Image.fromarray(decode_photo(content, EXAMPLE_SIDE))
        except BadImage:
            return None
        uri = _uri(_jpeg(image), "jpeg") if row in examples else ""
        image.thumbnail((CELL, CELL))
        return row, image, uri

    with ThreadPoolExecutor(THREADS) as threads:
        found = [one for one in threads.map(reduce, sorted({*on_maps, *examples})) if one is not None]
    mapped = set(on_maps)
    cells = [(row, image) for row, image, _ in found if row in mapped]
    return Thumbnails(
        _sheet([image for _, image in cells]),
        {row: cell for cell, (row, _) in enumerate(cells)},
        {row: uri for row, _, uri in found if uri},
    )


def example_rows(report: dict[str, Any], most_pairs: int, most_shelves: int) -> set[int]:
    """The rows whose photos stand in the page: examples of pairs, wrong shelves and their neighbours."""
    rows = {e["row"] for pair in report["hardest_pairs"][:most_pairs] for e in pair["examples"]}
    for shelf in report["wrong_shelves"][:most_shelves]:
        rows |= {shelf["row"], *(n["row"] for n in shelf["neighbours"])}
    return rows


def _sheet(images: Sequence[Image.Image]) -> bytes:
    if not images:
        return b""
    lines = -(-len(images) // COLUMNS)
    sheet = Image.new("RGB", (CELL * min(len(images), COLUMNS), CELL * lines), "white")
    for i, image in enumerate(images):
        left, top = CELL * (i % COLUMNS), CELL * (i // COLUMNS)
        sheet.paste(image, (left + (CELL - image.width) // 2, top + (CELL - image.height) // 2))
    written = io.BytesIO()
    sheet.save(written, "WEBP", quality=SHEET_QUALITY, method=2)
    return written.getvalue()


def _jpeg(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "JPEG", quality=EXAMPLE_QUALITY)
    return written.getvalue()


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
