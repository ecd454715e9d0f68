"""Local copies of large files that a database publishes, under RAYON_HOME/cache/exports while they are read."""

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

MAX_BYTES = 200_000_000_000
HEAD_BYTES = 1 << 16
BUSY_SECONDS = 60.0
PROGRESS_SECONDS = 30.0
ABANDONED_AFTER = 7 * 86_400.0  # seconds; then a copy that no run went on with is removed


class PublishedCopy:
    """A copy of the file at an address. No other process reads it until ``discard``, or until this object is gone."""

    def __init__(self, address: str, name: str, settings: Settings, progress: Progress | None = None) -> None:
        digest = hashlib.sha256(address.encode()).hexdigest()[:12]
        self._wanted = PublishedFile(f"{digest}-{name}", address, max_bytes=MAX_BYTES)
        self._partial = ResumableDownload(settings.home / "cache" / "exports", self._wanted.name)
        self._policy = DownloadPolicy(read_timeout=settings.source_seconds, user_agent=user_agent(settings.contact))
        self._progress = progress
        self._reported_at = time.monotonic() - PROGRESS_SECONDS
        self._lock = ExitStack()
        weakref.finalize(self, self._lock.close)

    def get(self, *, renew: bool) -> Path:
        """The complete file: with ``renew`` as it is published now, else an existing copy is enough.

        An interrupted download is resumed. Raises SourceBusy when the file is to be asked for later, or another process
        uses it; else what ``downloaded_file`` of ``infra.safe_fetch.published_file_download`` raises.
        """
        try:
            self._lock.enter_context(self._partial.locked())
        except Conflict as error:
            raise SourceBusy(f"{error}", BUSY_SECONDS) from error
        try:
            self._remove_abandoned()
            origin = self._partial.origin()
            if renew or origin is None or origin.address != self._wanted.address:
                self._partial.reopen()
            if not self._partial.complete_path.exists():
                Download(self._wanted, self._partial, self._report, self._policy).run()
        except BaseException as error:
            self.release()
            if isinstance(error, HostBusy):
                raise SourceBusy(str(error), error.retry_after or BUSY_SECONDS) from error
            raise
        return self._partial.complete_path

    def identity(self) -> str:
        """A digest that tells this version of the file from any other at the address."""
        origin = self._partial.origin()
        return identity_of(self._partial.complete_path, origin.validator if origin else "")

    def discard(self) -> None:
        """Delete the copy."""
        self._partial.discard()
        self.release()

    def release(self) -> None:
        """Leave the copy to the next run."""
        self._lock.close()

    def _remove_abandoned(self) -> None:
        for path in self._partial.complete_path.parent.iterdir():
            with suppress(OSError):
                old = time.time() - path.stat().st_mtime > ABANDONED_AFTER
                if old and path.suffix != ".lock" and not path.name.startswith(self._wanted.name):
                    path.unlink()

    def _report(self, done: int, total: int | None) -> None:
        if self._progress and time.monotonic() - self._reported_at >= PROGRESS_SECONDS:
            self._reported_at = time.monotonic()
            of = f" of {total / 1e6:,.0f}" if total else ""
            self._progress(f"fetching {self._wanted.name} from {host_of(self._wanted)}: {done / 1e6:,.0f}{of} MB")


def identity_of(path: Path, version: str | None = None) -> str:
    """A digest that tells a file from others at the same path: of its size, its beginning, and its version or date."""
    found = path.stat()
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(HEAD_BYTES)).hexdigest()
    facts = json.dumps([found.st_size, version or found.st_mtime_ns, head])
    return hashlib.sha256(facts.encode()).hexdigest()[:32]
