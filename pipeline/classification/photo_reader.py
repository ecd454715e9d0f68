"""Read the photos of listings: decode each once, describe it once by every extractor, a few photos ahead.

What an extractor computes of a photo before it learns anything (its descriptors, or a network's vector) is cached in
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

PREFETCHED_PHOTOS = 8  # read ahead of their use: bounds what is held, and how many wait for a storage
_REASON_BYTES = 100
_DISK_SHARE = 0.25  # of the free disk space, at most
Item = TypeVar("Item")
Result = TypeVar("Result")
# By extractor, what it computed of a photo.
Descriptors = Mapping[str, NDArray[Any]]


def prefetch(work: Callable[[Item], Result], items: Sequence[Item], most: int) -> Iterator[Result]:
    """The results of ``work`` on each item, in order, computed by threads while the caller uses earlier ones.

    At most ``most`` results wait to be used, which bounds their memory. A single item is done in this thread.
    """
    if len(items) <= 1:
        yield from map(work, items)
        return
    remaining = iter(items)
    pool = ThreadPoolExecutor(min(most, len(items)))
    try:
        waiting: deque[Future[Result]] = deque(pool.submit(work, item) for item in islice(remaining, most))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(remaining, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class DescriptorCache:
    """Keeps at most ``cache_bytes`` in memory, and beyond them ``disk_bytes`` in a temporary folder.

    The folder is made when it is first needed, takes no more than a quarter of the free disk space, and is deleted with
    this object. What does not fit is not kept, and has to be computed again. Several threads may use it.
    """

    def __init__(self, cache_bytes: int = 0, disk_bytes: int = 0) -> None:
        self._memory_left = cache_bytes
        self._disk_left = disk_bytes
        self._memory: dict[str, Descriptors | Reason] = {}
        self._folder: TemporaryDirectory[str] | None = None
        self._files: dict[str, list[str]] = {}
        self._lock = Lock()

    def find(self, key: str) -> Descriptors | Reason | None:
        """The entry of the key, descriptors or why a photo cannot be read; None when there is none."""
        if key in self._memory:
            return self._memory[key]
        if key in self._files and self._folder is not None:
            folder = Path(self._folder.name)
            return {name: np.load(folder / f"{key}-{name}.npy", allow_pickle=False) for name in self._files[key]}
        return None

    def keep(self, key: str, found: Descriptors | Reason) -> None:
        """Keep it where there is room; ``key`` must be fit for the name of a file."""
        size = _REASON_BYTES if isinstance(found, Reason) else sum(values.nbytes for values in found.values())
        with self._lock:
            if key in self._memory or key in self._files:
                return  # two listings show the same photo, and two threads described it
            if size <= self._memory_left:
                self._memory_left -= size
                self._memory[key] = found
            elif not isinstance(found, Reason) and size <= self._disk_left:
                self._write(key, found, size)

    def _write(self, key: str, found: Descriptors, size: int) -> None:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="rayon-photos-", ignore_cleanup_errors=True)
            self._disk_left = min(self._disk_left, int(_DISK_SHARE * shutil.disk_usage(self._folder.name).free))
        try:
            for name, values in found.items():
                np.save(Path(self._folder.name) / f"{key}-{name}.npy", values, allow_pickle=False)
        except OSError:
            self._disk_left = 0  # the disk is full: go on with what is kept so far
            return
        self._disk_left -= size
        self._files[key] = list(found)


@dataclass(frozen=True, slots=True)
class AugmentedView:
    """One of the augmented views of a training photo, by its number and the seed; see ``features.augmentation``."""

    number: int
    seed: int


@dataclass(frozen=True, slots=True)
class DescribedListing:
    """A listing and its photo's ``descriptors``; None where there are none, and ``problem`` says why.

    ``broken``: the listing has a photo that cannot be read. ``seconds`` are those of ``decode`` and ``image``.
    """

    evidence: Evidence
    descriptors: Descriptors | None
    problem: Reason | None
    seconds: Mapping[str, float] = field(default_factory=dict)
    broken: bool = False


@dataclass(frozen=True, slots=True)
class DecodedListing:
    """A listing whose ``photo`` is decoded and its bytes dropped: the pixels are small, whatever the file was.

    ``photo`` is None where there is none, and ``problem`` says why; ``broken`` as in DescribedListing. ``seconds`` is
    the time that decoding took.
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

    It only uses the part of an extractor that no fit changes, so one reader serves every fold.
    """

    def __init__(self, extractors: Mapping[str, ImageExtractor], cache_bytes: int = 0, disk_bytes: int = 0) -> None:
        self.extractors = dict(extractors)
        self._cache = DescriptorCache(cache_bytes, disk_bytes)
        self._network = Lock()  # a network computes one photo at a time, on all cores

    def describe(self, evidence: Evidence, view: AugmentedView | None = None) -> DescribedListing:
        """The descriptors of the photo, or of an augmented view of it. A bad photo is a ``problem``, never an error."""
        if (problem := self._no_photo(evidence)) is not None or evidence.photo is None:
            return DescribedListing(evidence, None, problem)
        digest = hashlib.sha256(evidence.photo).digest()
        key = digest.hex() if view is None else f"{digest.hex()}-{view.number}-{view.seed}"
        seconds = {"decode": 0.0, "image": 0.0}
        found = self._cache.find(key)
        if found is None:
            found = self._describe(evidence.photo, seconds, None if view is None else _ViewOf(digest, view))
            self._cache.keep(key, found)
        if isinstance(found, Reason):
            return DescribedListing(evidence, None, found, seconds, broken=True)
        return DescribedListing(evidence, found, None, seconds)

    def describe_all(
        self, evidences: Sequence[Evidence], view: AugmentedView | None = None
    ) -> Iterator[DescribedListing]:
        """``describe`` each listing, in order; the next few are fetched, decoded and described while one is used."""
        return prefetch(lambda evidence: self.describe(evidence, view), evidences, PREFETCHED_PHOTOS)

    def decode(self, evidence: Evidence) -> DecodedListing:
        """The first half of ``describe``, which may run in several threads."""
        without = replace(evidence, photo=None)
        if (problem := self._no_photo(evidence)) is not None or evidence.photo is None:
            return DecodedListing(without, None, problem)
        begun = time.perf_counter()
        photo = _decode(evidence.photo)
        spent = time.perf_counter() - begun
        if isinstance(photo, Reason):
            return DecodedListing(without, None, photo, broken=True, seconds=spent)
        return DecodedListing(without, photo, None, seconds=spent)

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
        begun = time.perf_counter()
        loaded = self.photo_bytes(content)
        if loaded is None:
            return Reason(ReasonCode.PHOTO_GONE)
        photo = _decode(loaded)
        seconds["decode"] = time.perf_counter() - begun
        if isinstance(photo, Reason):
            return photo
        if view_of is not None:
            from pipeline.features import augmentation  # serving never augments

            change = augmentation.draw_change(view_of.digest, view_of.view.number, view_of.view.seed)
            photo = augmentation.apply_change(photo, change)
        return self._descriptors(photo, seconds)

    def _descriptors(self, photo: Photo, seconds: dict[str, float]) -> Descriptors:
        begun = time.perf_counter()
        descriptors: dict[str, NDArray[Any]] = {}
        for name, extractor in self.extractors.items():
            if isinstance(extractor, TwoStepExtractor):
                descriptors[name] = extractor.describe([photo])[0]
            else:
                with self._network:
                    descriptors[name] = np.asarray(extractor.transform([photo])[0], np.float32)
        seconds["image"] = time.perf_counter() - begun
        return descriptors


def _decode(content: bytes) -> Photo | Reason:
    """The photo, or why it cannot be read."""
    try:
        return photo_decoding.decode_photo(content)
    except BadImage as error:
        return Reason.of(ReasonCode.PHOTO_UNREADABLE, problem=reason_of(error))


def feature_vector(extractor: ImageExtractor, descriptors: NDArray[Any]) -> Floats:
    """The feature vector (d,) of a described photo by a fitted extractor: a unit vector, or zeros."""
    raw = descriptors
    if isinstance(extractor, TwoStepExtractor):
        raw = extractor.transform_descriptors([descriptors])[0]
    unit: Floats = (raw / max(float(np.linalg.norm(raw)), 1e-9)).astype(np.float32)
    return unit
