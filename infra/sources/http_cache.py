"""A cache of HTTP responses in a folder of bounded size, so that unchanged ones (ETag) are not downloaded again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cachecontrol.cache import BaseCache

FILL_AFTER_EVICTION = 0.8  # a full cache deletes its least recently used files until it is filled to this share


class _CachedFile(NamedTuple):
    used_at: float
    size: int
    path: str


class FileCache:
    """One file per address, at most ``max_bytes`` in total. Processes may share the folder.

    When the disk is full or the folder cannot be written, nothing is cached and no error is raised.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def get(self, key: str) -> bytes | None:
        """The cached content of an address; None when there is none."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return content

    def set(self, key: str, value: bytes, expires: int | datetime | None = None) -> None:  # noqa: ARG002 - as BaseCache
        """Cache ``value``, deleting the least recently used files if there is not enough space."""
        if len(value) > self._max_bytes:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._free_space(len(value))
            descriptor, name = tempfile.mkstemp(dir=self._folder, suffix=".new")
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(value)
                Path(name).replace(self._path(key))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def delete(self, key: str) -> None:
        """Delete the cached content of an address."""
        with contextlib.suppress(OSError):
            self._path(key).unlink(missing_ok=True)

    def _free_space(self, size: int) -> None:
        files: list[_CachedFile] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    file_stat = entry.stat()
                    files.append(_CachedFile(file_stat.st_mtime, file_stat.st_size, entry.path))
        total = sum(file.size for file in files)
        if total + size <= self._max_bytes:
            return
        for file in sorted(files):
            if total + size <= FILL_AFTER_EVICTION * self._max_bytes:
                break
            Path(file.path).unlink(missing_ok=True)
            total -= file.size

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode()).hexdigest()


class ResponseCache(FileCache, BaseCache):
    """A CacheControl cache that stores responses in files."""
