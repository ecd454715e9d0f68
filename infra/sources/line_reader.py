"""Reads the lines of a large file, gzip or plain, from any line on; memory is bounded, whatever the file holds."""

from __future__ import annotations

import os
import weakref
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.errors import Unavailable

LONGEST_LINE = 5_000_000  # bytes; a product of the largest exports has a few hundred thousand
CHUNK_BYTES = 1 << 20
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
        """The next line, or None for one longer than LONGEST_LINE; ``position`` is then after it."""
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
            if self._skipped or len(self._rest) > LONGEST_LINE:
                self._skipped += len(self._rest)
                self._rest = b""
        return True

    def _add(self, line: bytes, skipped: int, end: int) -> None:
        self._lines.append(None if skipped or len(line) > LONGEST_LINE else line)
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
                    yield engine.decompress(packed, CHUNK_BYTES)
                    packed = engine.unused_data if engine.eof else engine.unconsumed_tail
            while not engine.eof and (chunk := engine.decompress(b"", CHUNK_BYTES)):
                yield chunk
        except zlib.error as error:
            self.damage = f"it is damaged ({error})"
            return
        if not engine.eof:
            self.damage = "it ends in the middle"

    def _read(self) -> bytes:
        try:
            return self._file.read(CHUNK_BYTES) or b""
        except OSError as error:
            raise Unavailable(f"{self._file.name} cannot be read: {error.strerror}") from error


def _prepended(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks
