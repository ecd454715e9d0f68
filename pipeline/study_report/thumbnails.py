"""Thumbnails of a report's photos: one sprite sheet for the maps, and data URIs for the examples."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from PIL import Image

from pipeline.domain.errors import BadImage
from pipeline.domain.study_report import HardPair, LabelIssue
from pipeline.features.photo_decoding import decode_photo
from pipeline.study.study_steps import Photos

CELL = 80  # pixels: the side of a cell of the sheet
COLUMNS = 32
EXAMPLE_SIDE = 112  # pixels
SHEET_QUALITY, EXAMPLE_QUALITY = 62, 70
THREADS = 2


@dataclass(frozen=True, slots=True)
class ReportThumbnails:
    """``sheet`` is a WebP of square cells, COLUMNS per line; empty without photos.

    ``cells`` has the index of the cell of each row's photo; ``examples`` are data URIs. Both are by row.
    """

    sheet: bytes = b""
    cells: dict[int, int] = field(default_factory=dict)
    examples: dict[int, str] = field(default_factory=dict)

    @property
    def sheet_uri(self) -> str:
        """The sheet as a data URI; empty if there is none."""
        return _data_uri(self.sheet, "webp") if self.sheet else ""


def make_thumbnails(photos: Photos, map_rows: Sequence[int], example_rows: Iterable[int]) -> ReportThumbnails:
    """Read each photo once, in THREADS threads; missing and unreadable photos are left out."""
    examples = set(example_rows)

    def shrink(row: int) -> tuple[int, Image.Image, str] | None:
        content = photos(row)
        if content is None:
            return None
        try:
            image = Image.fromarray(decode_photo(content, EXAMPLE_SIDE))
        except BadImage:
            return None
        uri = _data_uri(_jpeg(image), "jpeg") if row in examples else ""
        image.thumbnail((CELL, CELL))
        return row, image, uri

    with ThreadPoolExecutor(THREADS) as threads:
        results = threads.map(shrink, sorted({*map_rows, *examples}))
        thumbnails = [thumbnail for thumbnail in results if thumbnail is not None]
    distinct_map_rows = set(map_rows)
    on_maps = [(row, image) for row, image, _ in thumbnails if row in distinct_map_rows]
    return ReportThumbnails(
        _sheet([image for _, image in on_maps]),
        {row: cell for cell, (row, _) in enumerate(on_maps)},
        {row: uri for row, _, uri in thumbnails if uri},
    )


def example_rows(pairs: Iterable[HardPair], issues: Iterable[LabelIssue]) -> set[int]:
    """The rows whose photos the page shows: examples of pairs, label issues and their neighbours."""
    rows = {example.row for pair in pairs for example in pair.examples}
    for issue in issues:
        rows |= {issue.row, *(neighbour.row for neighbour in issue.neighbours)}
    return rows


def _sheet(images: Sequence[Image.Image]) -> bytes:
    if not images:
        return b""
    lines = -(-len(images) // COLUMNS)
    sheet = Image.new("RGB", (CELL * min(len(images), COLUMNS), CELL * lines), "white")
    for index, image in enumerate(images):
        left, top = CELL * (index % COLUMNS), CELL * (index // COLUMNS)
        sheet.paste(image, (left + (CELL - image.width) // 2, top + (CELL - image.height) // 2))
    stream = io.BytesIO()
    sheet.save(stream, "WEBP", quality=SHEET_QUALITY, method=2)
    return stream.getvalue()


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=EXAMPLE_QUALITY)
    return stream.getvalue()


def _data_uri(content: bytes, image_format: str) -> str:
    return f"data:image/{image_format};base64,{base64.b64encode(content).decode()}"
