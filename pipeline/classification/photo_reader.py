"""Read the photos of listings: decode each once and describe it with every extractor, prefetching a few photos.

What an extractor computes from a photo before any fitting (local descriptors, or the vector of a network) is cached in
memory, then in files, so that folds and trainings share it.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import BadImage
from pipeline.domain.listing import Evidence
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.features import photo_decoding
from pipeline.features.extractor import Floats, ImageExtractor, Photo, TwoStepExtractor

PREFETCHED_PHOTOS = 8  # photos read ahead: bounds memory, and the number of concurrent storage requests
FOLD_CACHE_BYTES = 1_200_000_000  # descriptors kept in memory from fold to fold
FOLD_DISK_BYTES = 8_000_000_000  # descriptors kept in files, where photos have augmented views
_REASON_BYTES = 100
_MAX_DISK_SHARE = 0.25  # of the free disk space
Item = TypeVar("Item")
Result = TypeVar("Result")
# What each extractor computed from a photo, by extractor.
Descriptors = Mapping[str, NDArray[Any]]


def prefetch(work: Callable[[Item], Result], items: Sequence[Item], max_waiting: int) -> Iterator[Result]:
    """The results of ``work`` on each item, in order, computed by threads while the caller uses earlier ones.

    At most ``max_waiting`` results wait to be used, which bounds memory. A single item is processed in this thread.
    """
    if len(items) <= 1:
        yield from map(work, items)
        return
    remaining = iter(items)
    pool = ThreadPoolExecutor(min(max_waiting, len(items)))
    try:
        waiting: deque[Future[Result]] = deque(pool.submit(work, item) for item in islice(remaining, max_waiting))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(remaining, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class DescriptorCache:
    """Keeps at most ``cache_bytes`` in memory, and a further ``disk_bytes`` in a temporary folder.

    The folder is created on first use, takes at most a quarter of the free disk space, and is deleted with this object.
    Entries that do not fit are not kept, and have to be computed again. Thread-safe.
    """

    def __init__(self, cache_bytes: int = 0, disk_bytes: int = 0) -> None:
        self._free_memory = cache_bytes
        self._free_disk = disk_bytes
        self._memory: dict[str, Descriptors | Reason] = {}
        self._folder: TemporaryDirectory[str] | None = None
        self._files: dict[str, list[str]] = {}
        self._lock = Lock()

    def find(self, key: str) -> Descriptors | Reason | None:
        """The entry of the key: descriptors, or the reason why the photo cannot be read; None when absent."""
        if key in self._memory:
            return self._memory[key]
        if key in self._files and self._folder is not None:
            folder = Path(self._folder.name)
            return {name: np.load(folder / f"{key}-{name}.npy", allow_pickle=False) for name in self._files[key]}
        return None

    def keep(self, key: str, entry: Descriptors | Reason) -> None:
        """Store the entry if there is space; ``key`` must be usable in a file name."""
        size = _REASON_BYTES if isinstance(entry, Reason) else sum(values.nbytes for values in entry.values())
        with self._lock:
            if key in self._memory or key in self._files:
                return  # two listings have the same photo, and two threads described it
            if size <= self._free_memory:
                self._free_memory -= size
                self._memory[key] = entry
            elif not isinstance(entry, Reason) and size <= self._free_disk:
                self._write(key, entry, size)

    def _write(self, key: str, descriptors: Descriptors, size: int) -> None:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="rayon-photos-", ignore_cleanup_errors=True)
            self._free_disk = min(self._free_disk, int(_MAX_DISK_SHARE * shutil.disk_usage(self._folder.name).free))
        try:
            for name, values in descriptors.items():
                np.save(Path(self._folder.name) / f"{key}-{name}.npy", values, allow_pickle=False)
        except OSError:
            self._free_disk = 0  # the disk is full: store nothing more there
            return
        self._free_disk -= size
        self._files[key] = list(descriptors)


@dataclass(frozen=True, slots=True)
class AugmentedView:
    """Identifies an augmented view of a training photo by number and seed; see ``features.augmentation``."""

    number: int
    seed: int


@dataclass(frozen=True, slots=True)
class DescribedListing:
    """A listing and the ``descriptors`` of its photo, None if there are none; ``problem`` is the reason.

    ``broken``: the listing has a photo that cannot be read. ``seconds``: time taken by the stages ``decode`` and
    ``image``.
    """

    evidence: Evidence
    descriptors: Descriptors | None
    problem: Reason | None
    seconds: Mapping[str, float] = field(default_factory=dict)
    broken: bool = False


@dataclass(frozen=True, slots=True)
class DecodedListing:
    """A listing whose ``photo`` is decoded and its bytes dropped: the pixels are small, whatever the size of the file.

    ``photo`` is None if there is none, and ``problem`` is the reason; ``broken`` as in DescribedListing. ``seconds``:
    time taken by decoding.
    """

    evidence: Evidence
    photo: Photo | None
    problem: Reason | None
    broken: bool = False
    seconds: float = 0.0


class _ViewOf(NamedTuple):
    """An augmented view of the photo with this SHA-256 digest."""

    digest: bytes
    view: AugmentedView


class PhotoReader:
    """Reads photos for a fixed set of image extractors, with a ``DescriptorCache`` of these sizes.

    It uses only the part of an extractor that fitting does not change, so one reader serves every fold.
    """

    def __init__(self, extractors: Mapping[str, ImageExtractor], cache_bytes: int = 0, disk_bytes: int = 0) -> None:
        self.extractors = dict(extractors)
        self._cache = DescriptorCache(cache_bytes, disk_bytes)
        self._network_lock = Lock()  # a network computes one photo at a time, on all cores

    def describe(self, evidence: Evidence, view: AugmentedView | None = None) -> DescribedListing:
        """The descriptors of the photo, or of an augmented view; a bad photo gives a ``problem``, never an error."""
        if (problem := self._no_photo(evidence)) is not None or evidence.photo is None:
            return DescribedListing(evidence, None, problem)
        digest = hashlib.sha256(evidence.photo).digest()
        key = digest.hex() if view is None else f"{digest.hex()}-{view.number}-{view.seed}"
        seconds = {"decode": 0.0, "image": 0.0}
        entry = self._cache.find(key)
        if entry is None:
            entry = self._describe(evidence.photo, seconds, None if view is None else _ViewOf(digest, view))
            self._cache.keep(key, entry)
        if isinstance(entry, Reason):
            return DescribedListing(evidence, None, entry, seconds, broken=True)
        return DescribedListing(evidence, entry, None, seconds)

    def describe_all(
        self, evidences: Sequence[Evidence], view: AugmentedView | None = None
    ) -> Iterator[DescribedListing]:
        """``describe`` each listing, in order; the next few are fetched, decoded and described meanwhile."""
        return prefetch(lambda evidence: self.describe(evidence, view), evidences, PREFETCHED_PHOTOS)

    def decode(self, evidence: Evidence) -> DecodedListing:
        """The first half of ``describe``, which can run in several threads."""
        evidence_without_photo = replace(evidence, photo=None)
        if (problem := self._no_photo(evidence)) is not None or evidence.photo is None:
            return DecodedListing(evidence_without_photo, None, problem)
        started = time.perf_counter()
        photo = _decode(evidence.photo)
        seconds = time.perf_counter() - started
        if isinstance(photo, Reason):
            return DecodedListing(evidence_without_photo, None, photo, broken=True, seconds=seconds)
        return DecodedListing(evidence_without_photo, photo, None, seconds=seconds)

    def describe_decoded(self, decoded: DecodedListing) -> DescribedListing:
        """The second half of ``describe``; nothing is cached."""
        seconds = {"decode": decoded.seconds, "image": 0.0}
        descriptors = None if decoded.photo is None else self._descriptors(decoded.photo, seconds)
        return DescribedListing(decoded.evidence, descriptors, decoded.problem, seconds, decoded.broken)

    def photo_bytes(self, photo: bytes) -> bytes | None:
        """The encoded photo that ``evidence.photo`` stands for: itself, unless a subclass resolves references.

        None when it is gone.
        """
        return photo

    def _no_photo(self, evidence: Evidence) -> Reason | None:
        """The reason why there is no photo to describe, or None."""
        if not self.extractors:
            return Reason(ReasonCode.TEXT_MODEL)
        return (evidence.photo_problem or Reason(ReasonCode.NO_PHOTO)) if evidence.photo is None else None

    def _describe(
        self, content: bytes, seconds: dict[str, float], view_of: _ViewOf | None = None
    ) -> Descriptors | Reason:
        started = time.perf_counter()
        photo_content = self.photo_bytes(content)
        if photo_content is None:
            return Reason(ReasonCode.PHOTO_GONE)
        photo = _decode(photo_content)
        seconds["decode"] = time.perf_counter() - started
        if isinstance(photo, Reason):
            return photo
        if view_of is not None:
            from pipeline.features import augmentation  # serving never augments

            transform = augmentation.draw_transform(view_of.digest, view_of.view.number, view_of.view.seed)
            photo = augmentation.apply_transform(photo, transform)
        return self._descriptors(photo, seconds)

    def _descriptors(self, photo: Photo, seconds: dict[str, float]) -> Descriptors:
        started = time.perf_counter()
        descriptors: dict[str, NDArray[Any]] = {}
        for name, extractor in self.extractors.items():
            if isinstance(extractor, TwoStepExtractor):
                descriptors[name] = extractor.describe([photo])[0]
            else:
                with self._network_lock:
                    descriptors[name] = np.asarray(extractor.transform([photo])[0], np.float32)
        seconds["image"] = time.perf_counter() - started
        return descriptors


def _decode(content: bytes) -> Photo | Reason:
    """The photo, or the reason why it cannot be read."""
    try:
        return photo_decoding.decode_photo(content)
    except BadImage as error:
        return Reason.of(ReasonCode.PHOTO_UNREADABLE, problem=reason_of(error))


def feature_vector(extractor: ImageExtractor, descriptors: NDArray[Any]) -> Floats:
    """The feature vector (d,) of a photo, from its descriptors and a fitted extractor: a unit vector, or zeros."""
    vector = descriptors
    if isinstance(extractor, TwoStepExtractor):
        vector = extractor.transform_descriptors([descriptors])[0]
    unit: Floats = (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)
    return unit
