"""Answers of hosts, kept in a folder of bounded size: what has not changed (ETag) need not be sent again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from datetime import datetime
from pathlib import Path

from cachecontrol.cache import BaseCache

ROOM_MADE = 0.8  # when it is full, the longest unused go until it is this full


class FileCache:
    """A file for each address, at most ``limit`` bytes of them all. Processes may share the folder.

    A disk that is full, or a folder that cannot be written, keeps nothing and disturbs nobody.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit

    def get(self, key: str) -> bytes | None:
        """What is kept of an address; None when there is nothing."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return content

    def set(self, key: str, value: bytes, expires: int | datetime | None = None) -> None:
        """Keep it, and forget the longest unused where there is no room."""
        if len(value) > self._limit:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(len(value))
            descriptor, name = tempfile.mkstemp(dir=self._folder, suffix=".new")
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(value)
                Path(name).replace(self._path(key))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def delete(self, key: str) -> None:
        """Forget it."""
        with contextlib.suppress(OSError):
            self._path(key).unlink(missing_ok=True)

    def _make_room(self, size: int) -> None:
        kept: list[tuple[float, int, str]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    found = entry.stat()
                    kept.append((found.st_mtime, found.st_size, entry.path))
        total = sum(size for _, size, _ in kept)
        if total + size <= self._limit:
            return
        for _, freed, path in sorted(kept):
            if total + size <= ROOM_MADE * self._limit:
                break
            Path(path).unlink(missing_ok=True)
            total -= freed

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode()).hexdigest()


class AnswerCache(FileCache, BaseCache):
    """CacheControl's cache, in files."""
