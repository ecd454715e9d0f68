"""Reads products from a large file of JSON lines, gzip or plain, starting at any line, with bounded memory."""

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

MAX_PAGE_BYTES = 128_000_000  # of lines; because of it, a page may have fewer products than requested
MAX_LINE_LENGTH = 5_000_000  # bytes; a product of the largest exports has a few hundred thousand
READ_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class LinePosition:
    """A position between two lines: it comes after ``line`` lines of ``byte`` bytes in total (uncompressed)."""

    line: int = 0
    byte: int = 0


class LineReader:
    """Iterates over the lines after ``position``, without line ends.

    To get to the position, a gzip file is decompressed from its start, which takes a second per few hundred megabytes
    (uncompressed). ``reached`` says whether the file is long enough to contain the position; ``damage`` is the reason
    when the lines end before the proper end of an intact file, else None.
    """

    def __init__(self, path: Path, position: LinePosition | None = None) -> None:
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)
        self._size = os.fstat(self._file.fileno()).st_size
        self.is_gzip = self._file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        self._file.seek(0)
        self._line = self._byte = 0
        self.damage: str | None = None
        self._incomplete_line = b""
        self._skipped_bytes = 0  # of a line that is too long
        self._lines: deque[bytes | None] = deque()
        self._lengths: deque[int] = deque()
        self._chunks = self._decompressed_chunks() if self.is_gzip else self._plain_chunks()
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
        """The next line, or None for one longer than MAX_LINE_LENGTH; moves ``position`` after it."""
        if not self.has_next():
            raise StopIteration
        line, length = self._lines.popleft(), self._lengths.popleft()
        self._line += 1
        self._byte += length
        return line.removeprefix(BOM) if self._line == 1 and line is not None else line

    def has_next(self) -> bool:
        """Whether another line follows."""
        return bool(self._lines) or self._fill()

    def _fill(self) -> bool:
        """Read until at least one line is ready; False when there are no more."""
        while not self._lines:
            chunk = next(self._chunks, None)
            if chunk is None:
                # The last line may lack a line end; in a damaged file, however, it is incomplete.
                last_line, skipped_bytes = self._incomplete_line, self._skipped_bytes
                self._incomplete_line, self._skipped_bytes = b"", 0
                if self.damage is None and (last_line or skipped_bytes):
                    self._add(last_line, skipped_bytes, line_end=0)
                return bool(self._lines)
            *lines, incomplete_line = chunk.split(b"\n")
            for line in lines:
                self._add(self._incomplete_line + line, self._skipped_bytes, line_end=1)
                self._incomplete_line, self._skipped_bytes = b"", 0
            self._incomplete_line += incomplete_line
            if self._skipped_bytes or len(self._incomplete_line) > MAX_LINE_LENGTH:
                self._skipped_bytes += len(self._incomplete_line)
                self._incomplete_line = b""
        return True

    def _add(self, line: bytes, skipped_bytes: int, line_end: int) -> None:
        self._lines.append(None if skipped_bytes or len(line) > MAX_LINE_LENGTH else line)
        self._lengths.append(len(line) + skipped_bytes + line_end)

    def _seek(self, position: LinePosition) -> bool:
        """Move to a position; False when the file is too short to contain it."""
        if not self.is_gzip:
            self._file.seek(min(position.byte, self._size))
            self._line, self._byte = position.line, position.byte
            return position.byte <= self._size
        remaining_bytes = position.byte
        while remaining_bytes:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            if len(chunk) > remaining_bytes:
                self._chunks = _chain(chunk[remaining_bytes:], self._chunks)
            remaining_bytes -= min(len(chunk), remaining_bytes)
        self._line, self._byte = position.line, position.byte
        return True

    def _plain_chunks(self) -> Iterator[bytes]:
        while chunk := self._read():
            yield chunk

    def _decompressed_chunks(self) -> Iterator[bytes]:
        """Decompress all members of a gzip file, in chunks of bounded size."""
        decompressor = zlib.decompressobj(wbits=31)
        try:
            while compressed := self._read():
                while compressed:
                    if decompressor.eof:  # zeros may pad the file; anything else is another member
                        compressed = compressed.lstrip(b"\0")
                        if not compressed:
                            break
                        decompressor = zlib.decompressobj(wbits=31)
                    yield decompressor.decompress(compressed, READ_BYTES)
                    compressed = decompressor.unused_data if decompressor.eof else decompressor.unconsumed_tail
            while not decompressor.eof and (chunk := decompressor.decompress(b"", READ_BYTES)):
                yield chunk
        except zlib.error as error:
            self.damage = f"it is damaged ({error})"
            return
        if not decompressor.eof:
            self.damage = "it ends in the middle"

    def _read(self) -> bytes:
        try:
            return self._file.read(READ_BYTES) or b""
        except OSError as error:
            raise Unavailable(f"{self._file.name} cannot be read: {error.strerror}") from error


def _chain(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


@dataclass(frozen=True, slots=True)
class ProductFilePage:
    """The products of the next lines.

    ``after`` is the position after them, ``share`` the share of the file read so far (0 to 1), and ``objects`` the
    number of lines that were JSON objects. ``ended`` says that no lines follow, ``damage`` why, when that is not the
    proper end of the file.
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
    """How a product file is read: ``page_size`` products per page, texts in ``languages`` by preference."""

    database: ProductDatabase
    languages: Sequence[str]
    page_size: int


class ProductFile:
    """The products of a file in pages, starting at ``position``, at most ``limit`` of them."""

    def __init__(
        self, path: Path, options: ReadingOptions, position: LinePosition | None = None, limit: int | None = None
    ) -> None:
        self._options = options
        self._remaining = limit
        self._lines = LineReader(path, position)

    @property
    def reached(self) -> bool:
        """Whether the file is long enough to contain the position."""
        return self._lines.reached

    def page(self) -> ProductFilePage:
        """The next page; an empty one at the end of the file."""
        page_size = (
            self._options.page_size if self._remaining is None else min(self._options.page_size, self._remaining)
        )
        lines = self._lines
        products: list[SourceProduct] = []
        objects = n_bytes = 0
        while len(products) < page_size and n_bytes < MAX_PAGE_BYTES and lines.has_next():
            line = next(lines)
            n_bytes += len(line or b"")
            if line is None:
                problem = Reason.of(ReasonCode.PRODUCT_LINE_TOO_LONG, line=lines.position.line, limit=MAX_LINE_LENGTH)
                products.append(SourceProduct(None, None, None, problem))
            elif line.strip():
                parsed = self._parse(line)
                products.append(parsed.product)
                objects += parsed.is_object
        if self._remaining is not None:
            self._remaining -= len(products)
        return ProductFilePage(products, lines.position, lines.share, objects, not lines.has_next(), lines.damage)

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def _parse(self, line: bytes) -> ParsedLine:
        note = None
        try:
            raw = orjson.loads(line)
        except orjson.JSONDecodeError:
            # The standard parser is slower, but accepts numbers of any size, lone surrogates, and words such as NaN.
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
    """The file being read, and its locked copy if it was downloaded; both are None when no file is open."""

    def __init__(self) -> None:
        self.file: ProductFile | None = None
        self.copy: PublishedCopy | None = None

    def page(self) -> ProductFilePage:
        """The next page of the file; closes both when it cannot be read."""
        assert self.file is not None
        try:
            return self.file.page()
        except BaseException:
            self.close(discard=False)
            raise

    def close(self, *, discard: bool) -> None:
        """Close the file, and release the copy or (``discard``) delete it."""
        if self.file is not None:
            self.file.close()
        if self.copy is not None:
            (self.copy.discard if discard else self.copy.release)()
        self.file = self.copy = None
