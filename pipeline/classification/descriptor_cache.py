"""What was found in photos, remembered while a model is trained: in memory first, then in files of its own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

# By extractor what it found in a photo, or, instead, why the photo could not be read.
Described = Mapping[str, NDArray[Any]]
_A_SENTENCE = 100  # bytes
_SHARE = 0.25  # of what is free on the disk, at most


class DescriptorCache:
    """Remembers at most ``cache_bytes`` in memory, and beyond them ``disk_bytes`` in a temporary folder.

    The folder is made when it is first needed, takes no more than a quarter of what is free there, and goes with this
    object. What fits nowhere is forgotten, and has to be computed again. Several threads may use it.
    """

    def __init__(self, cache_bytes: int = 0, disk_bytes: int = 0) -> None:
        self._left = cache_bytes
        self._disk_left = disk_bytes
        self._known: dict[str, Described | str] = {}
        self._folder: TemporaryDirectory[str] | None = None
        self._written: dict[str, list[str]] = {}
        self._keeping = Lock()

    def find(self, key: str) -> Described | str | None:
        """What was kept under the key; None when nothing was."""
        if key in self._known:
            return self._known[key]
        if key in self._written and self._folder is not None:
            folder = Path(self._folder.name)
            return {name: np.load(folder / f"{key}-{name}.npy", allow_pickle=False) for name in self._written[key]}
        return None

    def keep(self, key: str, found: Described | str) -> None:
        """Remember it where there is room; ``key`` is fit for the name of a file."""
        size = _A_SENTENCE if isinstance(found, str) else sum(values.nbytes for values in found.values())
        with self._keeping:
            if key in self._known or key in self._written:
                return  # two listings show the same photo, and two threads looked at it
            if size <= self._left:
                self._left -= size
                self._known[key] = found
            elif not isinstance(found, str) and size <= self._disk_left:
                self._write(key, found, size)

    def _write(self, key: str, found: Described, size: int) -> None:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="rayon-photos-", ignore_cleanup_errors=True)
            self._disk_left = min(self._disk_left, int(_SHARE * shutil.disk_usage(self._folder.name).free))
        try:
            for name, values in found.items():
                np.save(Path(self._folder.name) / f"{key}-{name}.npy", values, allow_pickle=False)
        except OSError:
            self._disk_left = 0  # somebody else filled the disk: what is remembered so far is enough
            return
        self._disk_left -= size
        self._written[key] = list(found)
