"""The files of an unfinished download, kept in a folder so that a later run or another process can complete it."""

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
    """Where the bytes come from; ``validator`` is the strong ETag or the date that the server sent, else empty."""

    address: str
    validator: str = ""


class ResumableDownload:
    """``NAME.part`` and its origin, ``NAME.json``, in a folder; ``complete_path`` is the path of the complete file."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.complete_path = folder / name
        self._part_path = folder / f"{name}.part"
        self._origin_path = folder / f"{name}.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the download until the ``with`` or the process ends; Conflict when another process has locked it."""
        with self._translated_disk_errors():
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
        """The number of bytes received so far."""
        return self._part_path.stat().st_size if self._part_path.exists() else 0

    def origin(self) -> Origin | None:
        """The origin of the bytes received so far; None when it is not recorded."""
        try:
            return Origin(**json.loads(self._origin_path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, origin: Origin) -> None:
        """Start over: discard the bytes received so far, and record the origin of the new ones."""
        self.discard()
        with self._translated_disk_errors():
            write_private(self._origin_path, json.dumps(asdict(origin)))

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the part for ``append``, unbuffered, so that a killed process loses nothing it has received."""
        with self._translated_disk_errors():
            self._stream = self._part_path.open("ab", buffering=0)
        with self._stream:
            yield

    def append(self, chunk: bytes) -> None:
        """Append bytes to the part. Raises Unavailable when the disk is full."""
        remaining_bytes = memoryview(chunk)
        with self._translated_disk_errors():
            while remaining_bytes:
                remaining_bytes = remaining_bytes[self._stream.write(remaining_bytes) :]

    def finish(self) -> None:
        """Mark the download as complete by moving the part to ``complete_path``."""
        with self._translated_disk_errors():
            self._part_path.replace(self.complete_path)

    def reopen(self) -> None:
        """Turn a complete file back into a part, so that a download checks whether it has changed at its address."""
        with self._translated_disk_errors():
            if self.complete_path.exists():
                self.complete_path.replace(self._part_path)

    def discard(self) -> None:
        """Delete the part, its origin and the complete file."""
        for path in (self._part_path, self._origin_path, self.complete_path):
            path.unlink(missing_ok=True)

    @contextmanager
    def _translated_disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in DISK_FULL_ERRORS:
                raise Unavailable(
                    f"the disk of {self._folder} is full: free some space; the part received so far is kept"
                ) from error
            raise Unavailable(f"{error.filename or self._part_path} cannot be written: {error.strerror}") from error
