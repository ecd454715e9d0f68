"""Reads products from a file with one a line: a database's export, or its changes of a day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import orjson

from infra.sources.line_reader import LONGEST_LINE, LinePosition, LineReader
from infra.sources.normalise import normalise
from infra.sources.published_copy import PublishedCopy
from pipeline.domain.product_databases import ProductDatabase
from pipeline.domain.product_source import SourceProduct

PAGE_BYTES = 128_000_000  # of lines: a page may have fewer products than requested


@dataclass(frozen=True, slots=True)
class ProductFilePage:
    """Products of the next lines; ``objects`` of the lines were JSON objects, ``share`` is of the file's bytes.

    ``ended`` says that no line follows, ``damage`` why the file has no more where that is not its proper end.
    """

    products: Sequence[SourceProduct]
    after: LinePosition
    share: float
    objects: int
    ended: bool
    damage: str | None


class ParsedLine(NamedTuple):
    """The product of a line; ``is_object`` says whether the line was a JSON object."""

    product: SourceProduct
    is_object: bool


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How a product file is read: ``page_size`` products a page, texts in ``languages``, the best first."""

    database: ProductDatabase
    languages: Sequence[str]
    page_size: int


class ProductFile:
    """The products of a file in pages, from ``position`` on, ``limit`` of them at most."""

    def __init__(
        self, path: Path, options: ReadingOptions, position: LinePosition | None = None, limit: int | None = None
    ) -> None:
        self._options = options
        self._left = limit
        self._lines = LineReader(path, position)

    @property
    def reached(self) -> bool:
        """Whether the file was long enough to have the position."""
        return self._lines.reached

    def page(self) -> ProductFilePage:
        """The next page; an empty one at the end of the file."""
        page_size = self._options.page_size if self._left is None else min(self._options.page_size, self._left)
        lines = self._lines
        products: list[SourceProduct] = []
        objects = size = 0
        while len(products) < page_size and size < PAGE_BYTES and lines.more():
            line = next(lines)
            size += len(line or b"")
            if line is None:
                problem = f"line {lines.position.line} has more than {LONGEST_LINE:,} bytes"
                products.append(SourceProduct(None, None, None, problem))
            elif line.strip():
                parsed = self._parse(line)
                products.append(parsed.product)
                objects += parsed.is_object
        if self._left is not None:
            self._left -= len(products)
        return ProductFilePage(products, lines.position, lines.share, objects, not lines.more(), lines.damage)

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def _parse(self, line: bytes) -> ParsedLine:
        note = None
        try:
            raw = orjson.loads(line)
        except orjson.JSONDecodeError:
            # The standard parser is slower, and accepts numbers of any size, lone surrogates, and words like NaN.
            try:
                text = line.decode()
            except UnicodeDecodeError:
                text, note = line.decode(errors="replace"), "bytes that are no UTF-8 were replaced"
            try:
                raw = json.loads(text)
            except (ValueError, RecursionError):
                problem = f"line {self._lines.position.line} is no JSON"
                return ParsedLine(SourceProduct(None, None, None, problem), is_object=False)
        product = normalise(raw, self._options.database, self._options.languages)
        if note:
            product = replace(product, notes=(*product.notes, note))
        return ParsedLine(product, isinstance(raw, dict))


class OpenCopy:
    """The file being read and the published copy it is a part of, which is locked; both None between two files."""

    def __init__(self) -> None:
        self.file: ProductFile | None = None
        self.copy: PublishedCopy | None = None

    def page(self) -> ProductFilePage:
        """The next page of the file; when it cannot be read, both are closed."""
        assert self.file is not None
        try:
            return self.file.page()
        except BaseException:
            self.close(discard=False)
            raise

    def close(self, *, discard: bool) -> None:
        """Close the file and release the copy, or ``discard`` it."""
        if self.file is not None:
            self.file.close()
        if self.copy is not None:
            (self.copy.discard if discard else self.copy.release)()
        self.file = self.copy = None
