"""Large files that a database publishes: they lie under RAYON_HOME/cache/exports for as long as they are read."""

from __future__ import annotations

import hashlib
import json
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from infra.safe_fetch.download import Download, DownloadPolicy
from infra.safe_fetch.expected_file import host_of
from infra.safe_fetch.fetcher import AddressBusy
from infra.safe_fetch.partial_file import PartialFile
from infra.settings import Settings
from infra.sources.politeness import user_agent
from pipeline.domain.errors import Conflict
from pipeline.domain.product_source import SourceBusy
from pipeline.domain.published_file import PublishedFile

Tell = Callable[[str], None]

MOST_BYTES = 200_000_000_000
HEAD_BYTES = 1 << 16
BUSY_SECONDS = 60.0
TELL_SECONDS = 30.0
LEFT_SECONDS = 7 * 86_400.0  # after which a copy that nobody went on with is removed


class PublishedCopy:
    """A copy of what is at an address. Nobody else reads it until ``discard``, or until this object is gone."""

    def __init__(self, address: str, name: str, settings: Settings, tell: Tell | None = None) -> None:
        digest = hashlib.sha256(address.encode()).hexdigest()[:12]
        self._wanted = PublishedFile(f"{digest}-{name}", address, most=MOST_BYTES)
        self._partial = PartialFile(settings.home / "cache" / "exports", self._wanted.name)
        self._policy = DownloadPolicy(silence=settings.source_seconds, user_agent=user_agent(settings.contact))
        self._tell = tell
        self._told = time.monotonic() - TELL_SECONDS
        self._held = ExitStack()
        weakref.finalize(self, self._held.close)

    def get(self, renew: bool) -> Path:
        """The file, whole; ``renew``: as it is published now, else a copy that is here will do.

        What an interrupted download left is continued. Raises SourceBusy when it is to be asked for later, or is in
        use by another process; else what ``downloaded`` of ``infra.safe_fetch.download`` raises.
        """
        try:
            self._held.enter_context(self._partial.held())
        except Conflict as error:
            raise SourceBusy(f"{error}", BUSY_SECONDS) from error
        try:
            self._tidy_up()
            origin = self._partial.origin()
            if renew or origin is None or origin.address != self._wanted.address:
                self._partial.reopen()
            if not self._partial.whole.exists():
                Download(self._wanted, self._partial, self._progress, self._policy).run()
        except BaseException as error:
            self.release()
            if isinstance(error, AddressBusy):
                raise SourceBusy(str(error), error.retry_after or BUSY_SECONDS) from error
            raise
        return self._partial.whole

    def identity(self) -> str:
        """What tells this version of the file from any other that was at the address."""
        origin = self._partial.origin()
        return identity_of(self._partial.whole, origin.validator if origin else "")

    def discard(self) -> None:
        """Throw the copy away."""
        self._partial.discard()
        self.release()

    def release(self) -> None:
        """Leave the copy to whoever goes on with it."""
        self._held.close()

    def _tidy_up(self) -> None:
        """Remove what runs left behind that were given up long ago."""
        for path in self._partial.whole.parent.iterdir():
            with suppress(OSError):
                old = time.time() - path.stat().st_mtime > LEFT_SECONDS
                if old and path.suffix != ".lock" and not path.name.startswith(self._wanted.name):
                    path.unlink()

    def _progress(self, done: int, total: int | None) -> None:
        if self._tell and time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            of = f" of {total / 1e6:,.0f}" if total else ""
            self._tell(f"fetching {self._wanted.name} from {host_of(self._wanted)}: {done / 1e6:,.0f}{of} MB")


def identity_of(path: Path, version: str | None = None) -> str:
    """What tells a file from another one at the same place: its size, its beginning, and its version or date."""
    found = path.stat()
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(HEAD_BYTES)).hexdigest()
    told = json.dumps([found.st_size, version or found.st_mtime_ns, head])
    return hashlib.sha256(told.encode()).hexdigest()[:32]
