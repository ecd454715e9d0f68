"""The file of an unfinished download: kept in a folder until a later run, perhaps of another process, completes it."""

from __future__ import annotations

import errno
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.private_files import write_private
from pipeline.domain.errors import Conflict, Unavailable

DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Origin:
    """The address the bytes come from; ``validator`` is the strong ETag or date the server gave, else empty."""

    address: str
    validator: str = ""


class ResumableDownload:
    """``NAME.part`` and ``NAME.json`` (its origin) in a folder; ``complete_path`` is where the complete file lies."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.complete_path = folder / name
        self._part = folder / f"{name}.part"
        self._origin = folder / f"{name}.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the file until the ``with`` or the process ends; Conflict when another process holds it."""
        with self._disk_errors():
            self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{self.complete_path.name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(
                    f"another process is already fetching {self.complete_path.name}; wait until it is done"
                ) from None
            yield

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return self._part.stat().st_size if self._part.exists() else 0

    def origin(self) -> Origin | None:
        """The origin of those bytes; None when it is not recorded."""
        try:
            return Origin(**json.loads(self._origin.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, origin: Origin) -> None:
        """Discard the bytes received so far, and record the origin of those to come."""
        self.discard()
        with self._disk_errors():
            write_private(self._origin, json.dumps(asdict(origin)))

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open it for ``append``, unbuffered, so that a killed process loses nothing it received."""
        with self._disk_errors():
            self._stream = self._part.open("ab", buffering=0)
        with self._stream:
            yield

    def append(self, chunk: bytes) -> None:
        """Add bytes. Raises Unavailable when the disk is full."""
        left = memoryview(chunk)
        with self._disk_errors():
            while left:
                left = left[self._stream.write(left) :]

    def finish(self) -> None:
        """Mark it complete: from now on it is at ``complete_path``."""
        with self._disk_errors():
            self._part.replace(self.complete_path)

    def reopen(self) -> None:
        """Turn a complete file back into a part that lacks nothing, so that a download checks it for changes."""
        with self._disk_errors():
            if self.complete_path.exists():
                self.complete_path.replace(self._part)

    def discard(self) -> None:
        """Delete the part, its origin and the complete file."""
        for path in (self._part, self._origin, self.complete_path):
            path.unlink(missing_ok=True)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in DISK_FULL_ERRORS:
                raise Unavailable(
                    f"the disk of {self._folder} is full: free some space; the part received so far is kept"
                ) from error
            raise Unavailable(f"{error.filename or self._part} cannot be written: {error.strerror}") from error
