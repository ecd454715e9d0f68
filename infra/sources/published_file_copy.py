"""Local copies of large files that a database publishes, kept in RAYON_HOME/cache/exports while they are read."""

from __future__ import annotations

import hashlib
import json
import time
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path

from infra.safe_fetch.fetcher import HostBusy
from infra.safe_fetch.partial_download import ResumableDownload
from infra.safe_fetch.published_file_download import Download, DownloadPolicy, host_of
from infra.settings import Settings
from infra.sources.politeness import Progress, user_agent
from pipeline.domain.errors import Conflict
from pipeline.domain.product_source import SourceBusy
from pipeline.domain.published_file import PublishedFile

MAX_BYTES = 200_000_000_000  # of a published file
IDENTITY_BYTES = 1 << 16  # bytes at the start of a file that its identity is computed from
BUSY_SECONDS = 60.0  # until a retry, when the host or the copy is busy
PROGRESS_SECONDS = 30.0  # between two reports
ABANDONED_AFTER = 7 * 86_400.0  # seconds after which a copy that no run has used is deleted


class PublishedCopy:
    """A copy of the file at an address, locked for this process from ``get`` until it is released or discarded."""

    def __init__(self, address: str, name: str, settings: Settings, progress: Progress | None = None) -> None:
        digest = hashlib.sha256(address.encode()).hexdigest()[:12]
        self._file = PublishedFile(f"{digest}-{name}", address, max_bytes=MAX_BYTES)
        self._partial = ResumableDownload(settings.home / "cache" / "exports", self._file.name)
        self._policy = DownloadPolicy(read_timeout=settings.source_seconds, user_agent=user_agent(settings.contact))
        self._progress = progress
        self._reported_at = time.monotonic() - PROGRESS_SECONDS
        self._lock = ExitStack()
        weakref.finalize(self, self._lock.close)

    def get(self, *, refresh: bool) -> Path:
        """The path of the complete file; with ``refresh`` as published now, else from an existing copy if there is one.

        An interrupted download is resumed. Raises SourceBusy when the host is busy, or another process uses the copy;
        otherwise what ``downloaded_file`` of ``infra.safe_fetch.published_file_download`` raises.
        """
        try:
            self._lock.enter_context(self._partial.locked())
        except Conflict as error:
            raise SourceBusy(f"{error}", BUSY_SECONDS) from error
        try:
            self._remove_abandoned()
            origin = self._partial.origin()
            if refresh or origin is None or origin.address != self._file.address:
                self._partial.reopen()
            if not self._partial.complete_path.exists():
                Download(self._file, self._partial, self._report, self._policy).run()
        except BaseException as error:
            self.release()
            if isinstance(error, HostBusy):
                raise SourceBusy(str(error), error.retry_after or BUSY_SECONDS) from error
            raise
        return self._partial.complete_path

    def identity(self) -> str:
        """A digest that distinguishes this version of the file from others at the same address."""
        origin = self._partial.origin()
        return identity_of(self._partial.complete_path, origin.validator if origin else "")

    def discard(self) -> None:
        """Delete the copy and unlock it."""
        self._partial.discard()
        self.release()

    def release(self) -> None:
        """Unlock the copy, keeping it for the next run."""
        self._lock.close()

    def _remove_abandoned(self) -> None:
        for path in self._partial.complete_path.parent.iterdir():
            with suppress(OSError):
                abandoned = time.time() - path.stat().st_mtime > ABANDONED_AFTER
                if abandoned and path.suffix != ".lock" and not path.name.startswith(self._file.name):
                    path.unlink()

    def _report(self, received_bytes: int, total_bytes: int | None) -> None:
        if self._progress and time.monotonic() - self._reported_at >= PROGRESS_SECONDS:
            self._reported_at = time.monotonic()
            of_total = f" of {total_bytes / 1e6:,.0f}" if total_bytes else ""
            received = f"{received_bytes / 1e6:,.0f}{of_total} MB"
            self._progress(f"fetching {self._file.name} from {host_of(self._file)}: {received}")


def identity_of(path: Path, version: str | None = None) -> str:
    """A digest of a file's size, its first bytes, and its version or modification time, to notice that it changed."""
    file_stat = path.stat()
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(IDENTITY_BYTES)).hexdigest()
    description = json.dumps([file_stat.st_size, version or file_stat.st_mtime_ns, head])
    return hashlib.sha256(description.encode()).hexdigest()[:32]
