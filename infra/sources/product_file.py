"""Products of a file that has one a line: of an export, or of the changes of a day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from infra.sources.databases import Database
from infra.sources.line_reader import LONGEST_LINE, LineFile, Place
from infra.sources.normalise import normalise
from infra.sources.published_copy import PublishedCopy
from pipeline.domain.product_source import SourceProduct

PAGE_BYTES = 128_000_000  # of lines: a page may have fewer products than asked for


@dataclass(frozen=True, slots=True)
class FilePage:
    """Products of the next lines. ``objects`` of the lines were JSON objects at all; ``share`` is of the file's bytes.

    ``ended`` says that no line follows, ``damage`` why the file has no more where that is not its proper end.
    """

    products: Sequence[SourceProduct]
    after: Place
    share: float
    objects: int
    ended: bool
    damage: str | None


class InHand:
    """The ``file`` that is being read, and the ``copy`` that it is, which is held; None of either between two files."""

    def __init__(self) -> None:
        self.file: ProductFile | None = None
        self.copy: PublishedCopy | None = None

    def page(self) -> FilePage:
        """The next page of the file; when it cannot be read, both are let go of."""
        assert self.file is not None
        try:
            return self.file.page()
        except BaseException:
            self.close(discard=False)
            raise

    def close(self, discard: bool) -> None:
        """Let go of both; ``discard`` the copy, where there is one."""
        if self.file is not None:
            self.file.close()
        if self.copy is not None:
            (self.copy.discard if discard else self.copy.release)()
        self.file = self.copy = None


class ProductFile:
    """Its products in pages of ``page_size``, at most ``limit`` of them."""

    def __init__(
        self,
        path: Path,
        database: Database,
        languages: Sequence[str],
        page_size: int,
        place: Place | None = None,
        limit: int | None = None,
    ) -> None:
        self._database = database
        self._languages = languages
        self._page_size = page_size
        self._left = limit
        self._lines = LineFile(path, place)

    @property
    def reached(self) -> bool:
        """Whether the file was long enough to have the place."""
        return self._lines.reached

    def page(self) -> FilePage:
        """The next page; an empty one where there is nothing more."""
        most = self._page_size if self._left is None else min(self._page_size, self._left)
        lines = self._lines
        products: list[SourceProduct] = []
        objects = size = 0
        while len(products) < most and size < PAGE_BYTES and lines.more():
            line = next(lines)
            size += len(line or b"")
            if line is None:
                problem = f"line {lines.place.line} has more than {LONGEST_LINE:,} bytes"
                products.append(SourceProduct(None, None, None, problem))
            elif line.strip():
                product, is_object = self._product(line)
                products.append(product)
                objects += is_object
        if self._left is not None:
            self._left -= len(products)
        return FilePage(products, lines.place, lines.share, objects, not lines.more(), lines.damage)

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()

    def _product(self, line: bytes) -> tuple[SourceProduct, bool]:
        """The product of a line, and whether it is a JSON object."""
        note = None
        try:
            raw = orjson.loads(line)
        except orjson.JSONDecodeError:
            # The usual reader is slower, and takes numbers of any size, halves of characters, and words like NaN.
            try:
                text = line.decode()
            except UnicodeDecodeError:
                text, note = line.decode(errors="replace"), "bytes that are no UTF-8 were replaced"
            try:
                raw = json.loads(text)
            except (ValueError, RecursionError):
                return SourceProduct(None, None, None, f"line {self._lines.place.line} is no JSON"), False
        product = normalise(raw, self._database, self._languages)
        return (replace(product, notes=(*product.notes, note)) if note else product), isinstance(raw, dict)
