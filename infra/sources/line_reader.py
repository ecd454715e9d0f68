"""The lines of a large file, gzip or plain, from any of them on; memory is bounded, whatever the file holds."""

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
PIECE = 1 << 20
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Place:
    """Between two lines: ``line`` are before it, which take ``byte`` bytes (unpacked)."""

    line: int = 0
    byte: int = 0


class LineFile:
    """Lines after ``place``, without their ends.

    A packed file is unpacked from its beginning to get there, which costs a second for a few hundred megabytes (of
    what is unpacked). ``damage`` says why there are no more lines, where that is not the end of a whole file.
    """

    def __init__(self, path: Path, place: Place | None = None) -> None:
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)
        self._size = os.fstat(self._file.fileno()).st_size
        self.packed = self._file.read(len(GZIP)) == GZIP
        self._file.seek(0)
        self._line = self._byte = 0
        self.damage: str | None = None
        self._rest = b""
        self._skipped = 0  # bytes of a line that is too long
        self._waiting: deque[bytes | None] = deque()
        self._lengths: deque[int] = deque()
        self._pieces = self._unpacked() if self.packed else self._read()
        self.reached = self._go_to(place or Place())

    @property
    def place(self) -> Place:
        """Behind the line that was given last."""
        return Place(self._line, self._byte)

    @property
    def share(self) -> float:
        """How much of the file (0 to 1) has been read."""
        return min(self._file.tell() / self._size, 1.0) if self._size else 1.0

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __iter__(self) -> LineFile:
        return self

    def __next__(self) -> bytes | None:
        """The next line, or None for one that is longer than LONGEST_LINE; ``place`` is behind it then."""
        if not self.more():
            raise StopIteration
        line, length = self._waiting.popleft(), self._lengths.popleft()
        self._line += 1
        self._byte += length
        return line.removeprefix(BOM) if self._line == 1 and line is not None else line

    def more(self) -> bool:
        """Whether a line follows."""
        return bool(self._waiting) or self._fill()

    def _fill(self) -> bool:
        """Have at least one line wait; False when there are no more."""
        while not self._waiting:
            piece = next(self._pieces, None)
            if piece is None:
                # The last line may lack its end; but of a damaged file it is half a line.
                last, self._rest, skipped, self._skipped = self._rest, b"", self._skipped, 0
                if self.damage is None and (last or skipped):
                    self._add(last, skipped, end=0)
                return bool(self._waiting)
            *lines, rest = piece.split(b"\n")
            for line in lines:
                self._add(self._rest + line, self._skipped, end=1)
                self._rest, self._skipped = b"", 0
            self._rest += rest
            if self._skipped or len(self._rest) > LONGEST_LINE:
                self._skipped += len(self._rest)
                self._rest = b""
        return True

    def _add(self, line: bytes, skipped: int, end: int) -> None:
        self._waiting.append(None if skipped or len(line) > LONGEST_LINE else line)
        self._lengths.append(len(line) + skipped + end)

    def _go_to(self, place: Place) -> bool:
        """Whether the file is long enough to have this place."""
        if not self.packed:
            self._file.seek(min(place.byte, self._size))
            self._line, self._byte = place.line, place.byte
            return place.byte <= self._size
        left = place.byte
        while left:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            if len(piece) > left:
                self._pieces = _after(piece[left:], self._pieces)
            left -= min(len(piece), left)
        self._line, self._byte = place.line, place.byte
        return True

    def _read(self) -> Iterator[bytes]:
        while raw := self._raw():
            yield raw

    def _unpacked(self) -> Iterator[bytes]:
        """What is in all members of a gzip file, in pieces of bounded size."""
        engine = zlib.decompressobj(wbits=31)
        try:
            while raw := self._raw():
                while raw:
                    if engine.eof:  # zeros may fill a file up; anything else is a member more
                        raw = raw.lstrip(b"\0")
                        if not raw:
                            break
                        engine = zlib.decompressobj(wbits=31)
                    yield engine.decompress(raw, PIECE)
                    raw = engine.unused_data if engine.eof else engine.unconsumed_tail
            while not engine.eof and (piece := engine.decompress(b"", PIECE)):
                yield piece
        except zlib.error as error:
            self.damage = f"it is damaged ({error})"
            return
        if not engine.eof:
            self.damage = "it ends in the middle"

    def _raw(self) -> bytes:
        try:
            return self._file.read(PIECE) or b""
        except OSError as error:
            raise Unavailable(f"{self._file.name} cannot be read: {error.strerror}") from error


def _after(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces
