"""A download on its way: what has come is kept in a folder until the rest comes, be it in another process."""

from __future__ import annotations

import errno
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.embedded.status import write_private
from pipeline.domain.errors import Conflict, Unavailable

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the bytes come from; ``validator`` is the strong ETag or the date that the server gave, else empty."""

    address: str
    validator: str = ""


class PartialFile:
    """``NAME.part`` and ``NAME.json`` (its origin) in a folder; ``whole`` is where the complete file lies."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.whole = folder / name
        self._part = folder / f"{name}.part"
        self._origin = folder / f"{name}.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the file for one process, until the ``with`` or the process ends; Conflict when another has it."""
        with self._told():
            self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{self.whole.name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(
                    f"another process is fetching {self.whole.name} already; wait until it is done"
                ) from None
            yield

    @property
    def size(self) -> int:
        """Bytes that have come so far."""
        return self._part.stat().st_size if self._part.exists() else 0

    def origin(self) -> Origin | None:
        """Where those bytes come from; None when that is not known."""
        try:
            return Origin(**json.loads(self._origin.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, origin: Origin) -> None:
        """Throw away what has come, and note where what comes now is from."""
        self.discard()
        with self._told():
            write_private(self._origin, json.dumps(asdict(origin)))

    @contextmanager
    def growing(self) -> Iterator[None]:
        """Open it for ``append``; every byte is in the file at once, so that nothing is lost when we are killed."""
        with self._told():
            self._stream = self._part.open("ab", buffering=0)
        with self._stream:
            yield

    def append(self, piece: bytes) -> None:
        """Add bytes; Unavailable, which says so, when the disk is full."""
        left = memoryview(piece)
        with self._told():
            while left:
                left = left[self._stream.write(left) :]

    def finish(self) -> None:
        """It is complete: ``whole`` is there from now on."""
        with self._told():
            self._part.replace(self.whole)

    def reopen(self) -> None:
        """A complete one is a part that lacks nothing again: whoever goes on with it learns whether it has changed."""
        with self._told():
            if self.whole.exists():
                self.whole.replace(self._part)

    def discard(self) -> None:
        """Throw everything away."""
        for path in (self._part, self._origin, self.whole):
            path.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                raise Unavailable(
                    f"the disk of {self._folder} is full: make room; what has come is kept for the next time"
                ) from error
            raise Unavailable(f"{error.filename or self._part} cannot be written: {error.strerror}") from error
