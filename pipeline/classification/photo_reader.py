"""Read the photos of listings: decode each once, describe it once by every extractor, a few photos ahead."""

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
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import BadImage
from pipeline.domain.listing import Evidence
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.features import photo_decoding
from pipeline.features.extractor import ImageExtractor, Photo, TwoStepExtractor

Item = TypeVar("Item")
Made = TypeVar("Made")


def prefetch(work: Callable[[Item], Made], items: Sequence[Item], most: int) -> Iterator[Made]:
    """``work`` of each item, in order, done by threads while the user of the one before is busy.

    At most ``most`` results wait to be used: that bounds what they hold. A single item is worked on right here.
    """
    if len(items) <= 1:
        yield from map(work, items)
        return
    remaining = iter(items)
    pool = ThreadPoolExecutor(min(most, len(items)))
    try:
        waiting: deque[Future[Made]] = deque(pool.submit(work, item) for item in islice(remaining, most))
        while waiting:
            made = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(remaining, 1))
            yield made
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


# By extractor what it found in a photo, or, instead, why the photo could not be read.
Descriptors = Mapping[str, NDArray[Any]]
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
        self._known: dict[str, Descriptors | Reason] = {}
        self._folder: TemporaryDirectory[str] | None = None
        self._written: dict[str, list[str]] = {}
        self._keeping = Lock()

    def find(self, key: str) -> Descriptors | Reason | None:
        """What was kept under the key; None when nothing was."""
        if key in self._known:
            return self._known[key]
        if key in self._written and self._folder is not None:
            folder = Path(self._folder.name)
            return {name: np.load(folder / f"{key}-{name}.npy", allow_pickle=False) for name in self._written[key]}
        return None

    def keep(self, key: str, found: Descriptors | Reason) -> None:
        """Remember it where there is room; ``key`` is fit for the name of a file."""
        size = _A_SENTENCE if isinstance(found, Reason) else sum(values.nbytes for values in found.values())
        with self._keeping:
            if key in self._known or key in self._written:
                return  # two listings show the same photo, and two threads looked at it
            if size <= self._left:
                self._left -= size
                self._known[key] = found
            elif not isinstance(found, Reason) and size <= self._disk_left:
                self._write(key, found, size)

    def _write(self, key: str, found: Descriptors, size: int) -> None:
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


PREFETCHED_PHOTOS = (
    8  # photos read before those in front of them are used: bounds what is held, and how many wait for a storage
)


@dataclass(frozen=True, slots=True)
class AugmentedView:
    """Which view of a training photo is meant; see ``features.augmentation``."""

    number: int
    seed: int


@dataclass(frozen=True, slots=True)
class DescribedListing:
    """A listing and what its photo gave: ``described`` by extractor, or None, and ``problem`` says why.

    ``broken``: there is a photo, and it is no picture. ``seconds`` are those of ``decode`` and ``image``.
    """

    evidence: Evidence
    described: Descriptors | None
    problem: Reason | None
    seconds: Mapping[str, float] = field(default_factory=dict)
    broken: bool = False


@dataclass(frozen=True, slots=True)
class DecodedListing:
    """A listing whose photo is decoded already, its bytes let go: a picture is small, whatever its file was.

    ``picture`` is None when there is none to look at, and ``problem`` says why; ``broken`` as in Reading. ``seconds``
    is what decoding took.
    """

    evidence: Evidence
    picture: Photo | None
    problem: Reason | None
    broken: bool = False
    seconds: float = 0.0


class PhotoReader:
    """Reads photos for a fixed set of image extractors, remembering at most ``cache_bytes`` of what it found.

    What does not fit goes to files of its own, at most ``disk_bytes`` of them, gone with the reader.
    Only the part of an extractor that no fit changes is used here, so one reader serves every fold.
    """

    def __init__(self, extractors: Mapping[str, ImageExtractor], cache_bytes: int = 0, disk_bytes: int = 0) -> None:
        self.extractors = dict(extractors)
        self._known = DescriptorCache(cache_bytes, disk_bytes)
        self._network = Lock()  # a network computes one photo at a time, on all cores

    def read(self, evidence: Evidence, view: AugmentedView | None = None) -> DescribedListing:
        """Never fails on a bad photo: the reading says what is wrong with it. Of a ``view`` of it, if one is asked."""
        if (why := self._nothing_to_see(evidence)) is not None or evidence.photo is None:
            return DescribedListing(evidence, None, why)
        digest = hashlib.sha256(evidence.photo).digest()
        key = digest.hex() if view is None else f"{digest.hex()}-{view.number}-{view.seed}"
        seconds = {"decode": 0.0, "image": 0.0}
        found = self._known.find(key)
        if found is None:
            found = self._describe(evidence.photo, seconds, None if view is None else (digest, view))
            self._known.keep(key, found)
        if isinstance(found, Reason):
            return DescribedListing(evidence, None, found, seconds, broken=True)
        return DescribedListing(evidence, found, None, seconds)

    def read_all(self, evidences: Sequence[Evidence], view: AugmentedView | None = None) -> Iterator[DescribedListing]:
        """``read`` of each, in order; the next few are fetched, decoded and described while one is used."""
        return prefetch(lambda evidence: self.read(evidence, view), evidences, PREFETCHED_PHOTOS)

    def open(self, evidence: Evidence) -> DecodedListing:
        """The first half of ``read``: decoding, which other threads may do while one of them describes."""
        without = replace(evidence, photo=None)
        if (why := self._nothing_to_see(evidence)) is not None or evidence.photo is None:
            return DecodedListing(without, None, why)
        begun = time.perf_counter()
        picture = _decoded(evidence.photo)
        spent = time.perf_counter() - begun
        if isinstance(picture, Reason):
            return DecodedListing(without, None, picture, True, spent)
        return DecodedListing(without, picture, None, seconds=spent)

    def look(self, opened: DecodedListing) -> DescribedListing:
        """The second half: the reading of a listing that was opened; nothing of it is remembered."""
        seconds = {"decode": opened.seconds, "image": 0.0}
        described = None if opened.picture is None else self._described(opened.picture, seconds)
        return DescribedListing(opened.evidence, described, opened.problem, seconds, opened.broken)

    def _nothing_to_see(self, evidence: Evidence) -> Reason | None:
        if not self.extractors:
            return Reason(ReasonCode.TEXT_MODEL)
        return (evidence.photo_problem or Reason(ReasonCode.NO_PHOTO)) if evidence.photo is None else None

    def _describe(
        self, content: bytes, seconds: dict[str, float], seen: tuple[bytes, AugmentedView] | None = None
    ) -> Descriptors | Reason:
        begun = time.perf_counter()
        decoded = _decoded(content)
        seconds["decode"] = time.perf_counter() - begun
        if isinstance(decoded, Reason):
            return decoded
        if seen is not None:
            from pipeline.features import augmentation  # serving never comes here

            digest, view = seen
            decoded = augmentation.apply_change(decoded, augmentation.draw_change(digest, view.number, view.seed))
        return self._described(decoded, seconds)

    def _described(self, decoded: Photo, seconds: dict[str, float]) -> Descriptors:
        begun = time.perf_counter()
        described: dict[str, NDArray[Any]] = {}
        for name, extractor in self.extractors.items():
            if isinstance(extractor, TwoStepExtractor):
                described[name] = extractor.describe([decoded])[0]
            else:
                with self._network:
                    described[name] = np.asarray(extractor.transform([decoded])[0], np.float32)
        seconds["image"] = time.perf_counter() - begun
        return described


def _decoded(content: bytes) -> Photo | Reason:
    """The picture, or why the bytes are none."""
    try:
        return photo_decoding.decode_photo(content)
    except BadImage as error:
        return Reason.of(ReasonCode.PHOTO_UNREADABLE, problem=reason_of(error))


def feature_vector(extractor: ImageExtractor, described: NDArray[Any]) -> NDArray[np.float32]:
    """The feature vector, shape (d,), of a described photo by a fitted extractor; a unit vector, or zeros."""
    raw = extractor.transform_described([described])[0] if isinstance(extractor, TwoStepExtractor) else described
    unit: NDArray[np.float32] = (raw / max(float(np.linalg.norm(raw)), 1e-9)).astype(np.float32)
    return unit
