"""Reads products from a large file with one a line, gzip or plain, from any line on; memory is bounded."""

from __future__ import annotations

import json
import os
import weakref
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import orjson

from infra.sources.product_normalisation import normalise
from infra.sources.published_file_copy import PublishedCopy
from pipeline.domain.errors import Unavailable
from pipeline.domain.product_databases import ProductDatabase
from pipeline.domain.product_source import SourceProduct
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

PAGE_BYTES = 128_000_000  # of lines: a page may have fewer products than requested
MAX_LINE_LENGTH = 5_000_000  # bytes; a product of the largest exports has a few hundred thousand
READ_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class LinePosition:
    """A position between two lines: ``line`` lines come before it, which take ``byte`` bytes (unpacked)."""

    line: int = 0
    byte: int = 0


class LineReader:
    """Iterates over the lines after ``position``, without their ends.

    A gzip file is unpacked from its beginning to get there, which takes a second for a few hundred megabytes (of
    unpacked bytes). ``reached`` says whether the file is long enough to have the position; ``damage`` says why there
    are no more lines, where that is not the end of an intact file.
    """

    def __init__(self, path: Path, position: LinePosition | None = None) -> None:
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)
        self._size = os.fstat(self._file.fileno()).st_size
        self.packed = self._file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        self._file.seek(0)
        self._line = self._byte = 0
        self.damage: str | None = None
        self._rest = b""
        self._skipped = 0  # bytes of a line that is too long
        self._lines: deque[bytes | None] = deque()
        self._lengths: deque[int] = deque()
        self._chunks = self._unpacked() if self.packed else self._plain()
        self.reached = self._seek(position or LinePosition())

    @property
    def position(self) -> LinePosition:
        """The position after the last line returned."""
        return LinePosition(self._line, self._byte)

    @property
    def share(self) -> float:
        """The share of the file (0 to 1) that has been read."""
        return min(self._file.tell() / self._size, 1.0) if self._size else 1.0

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> LineReader:
        return self

    def __next__(self) -> bytes | None:
        """The next line, or None for one longer than MAX_LINE_LENGTH; ``position`` is then after it."""
        if not self.more():
            raise StopIteration
        line, length = self._lines.popleft(), self._lengths.popleft()
        self._line += 1
        self._byte += length
        return line.removeprefix(BOM) if self._line == 1 and line is not None else line

    def more(self) -> bool:
        """Whether another line follows."""
        return bool(self._lines) or self._fill()

    def _fill(self) -> bool:
        """Read until at least one line is ready; False when there are no more."""
        while not self._lines:
            chunk = next(self._chunks, None)
            if chunk is None:
                # The last line may lack its end; but in a damaged file it is half a line.
                last, self._rest, skipped, self._skipped = self._rest, b"", self._skipped, 0
                if self.damage is None and (last or skipped):
                    self._add(last, skipped, end=0)
                return bool(self._lines)
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                self._add(self._rest + line, self._skipped, end=1)
                self._rest, self._skipped = b"", 0
            self._rest += rest
            if self._skipped or len(self._rest) > MAX_LINE_LENGTH:
                self._skipped += len(self._rest)
                self._rest = b""
        return True

    def _add(self, line: bytes, skipped: int, end: int) -> None:
        self._lines.append(None if skipped or len(line) > MAX_LINE_LENGTH else line)
        self._lengths.append(len(line) + skipped + end)

    def _seek(self, position: LinePosition) -> bool:
        """Go to a position; False when the file is too short to have it."""
        if not self.packed:
            self._file.seek(min(position.byte, self._size))
            self._line, self._byte = position.line, position.byte
            return position.byte <= self._size
        left = position.byte
        while left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            if len(chunk) > left:
                self._chunks = _prepended(chunk[left:], self._chunks)
            left -= min(len(chunk), left)
        self._line, self._byte = position.line, position.byte
        return True

    def _plain(self) -> Iterator[bytes]:
        while chunk := self._read():
            yield chunk

    def _unpacked(self) -> Iterator[bytes]:
        """The content of all members of a gzip file, in chunks of bounded size."""
        engine = zlib.decompressobj(wbits=31)
        try:
            while packed := self._read():
                while packed:
                    if engine.eof:  # zeros may pad a file; anything else is another member
                        packed = packed.lstrip(b"\0")
                        if not packed:
                            break
                        engine = zlib.decompressobj(wbits=31)
                    yield engine.decompress(packed, READ_BYTES)
                    packed = engine.unused_data if engine.eof else engine.unconsumed_tail
            while not engine.eof and (chunk := engine.decompress(b"", READ_BYTES)):
                yield chunk
        except zlib.error as error:
            self.damage = f"it is damaged ({error})"
            return
        if not engine.eof:
            self.damage = "it ends in the middle"

    def _read(self) -> bytes:
        try:
            return self._file.read(READ_BYTES) or b""
        except OSError as error:
            raise Unavailable(f"{self._file.name} cannot be read: {error.strerror}") from error


def _prepended(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


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
                problem = Reason.of(ReasonCode.PRODUCT_LINE_TOO_LONG, line=lines.position.line, limit=MAX_LINE_LENGTH)
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
                text, note = line.decode(errors="replace"), Reason(ReasonCode.NOT_UTF8)
            try:
                raw = json.loads(text)
            except (ValueError, RecursionError):
                problem = Reason.of(ReasonCode.PRODUCT_LINE_NOT_JSON, line=self._lines.position.line)
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
