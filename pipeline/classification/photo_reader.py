"""Reading the photos of listings: each is decoded once, and described once by every image extractor."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.descriptor_cache import Described, DescriptorCache
from pipeline.classification.prefetch import prefetch
from pipeline.domain.errors import BadImage
from pipeline.domain.listing import Evidence
from pipeline.features import photo_decoding
from pipeline.features.extractor import Describing, ImageExtractor, Photo

AHEAD = 8  # photos read before those in front of them are used: bounds what is held, and how many wait for a storage


@dataclass(frozen=True, slots=True)
class PhotoView:
    """Which view of a training photo is meant; see ``features.augmentation``."""

    number: int
    seed: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A listing and what its photo gave: ``described`` by extractor, or None, and ``problem`` says why.

    ``broken``: there is a photo, and it is no picture. ``seconds`` are those of ``decode`` and ``image``.
    """

    evidence: Evidence
    described: Described | None
    problem: str | None
    seconds: Mapping[str, float] = field(default_factory=dict)
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A listing whose photo is decoded already, its bytes let go: a picture is small, whatever its file was.

    ``picture`` is None when there is none to look at, and ``problem`` says why; ``broken`` as in Reading. ``seconds``
    is what decoding took.
    """

    evidence: Evidence
    picture: Photo | None
    problem: str | None
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

    def read(self, evidence: Evidence, view: PhotoView | None = None) -> Reading:
        """Never fails on a bad photo: the reading says what is wrong with it. Of a ``view`` of it, if one is asked."""
        if (why := self._nothing_to_see(evidence)) is not None or evidence.photo is None:
            return Reading(evidence, None, why)
        digest = hashlib.sha256(evidence.photo).digest()
        key = digest.hex() if view is None else f"{digest.hex()}-{view.number}-{view.seed}"
        seconds = {"decode": 0.0, "image": 0.0}
        found = self._known.find(key)
        if found is None:
            found = self._describe(evidence.photo, seconds, None if view is None else (digest, view))
            self._known.keep(key, found)
        if isinstance(found, str):
            return Reading(evidence, None, found, seconds, broken=True)
        return Reading(evidence, found, None, seconds)

    def read_all(self, evidences: Sequence[Evidence], view: PhotoView | None = None) -> Iterator[Reading]:
        """``read`` of each, in order; the next few are fetched, decoded and described while one is used."""
        return prefetch(lambda evidence: self.read(evidence, view), evidences, AHEAD)

    def open(self, evidence: Evidence) -> Opened:
        """The first half of ``read``: decoding, which other threads may do while one of them describes."""
        without = replace(evidence, photo=None)
        if (why := self._nothing_to_see(evidence)) is not None or evidence.photo is None:
            return Opened(without, None, why)
        begun = time.perf_counter()
        picture = _decoded(evidence.photo)
        spent = time.perf_counter() - begun
        if isinstance(picture, str):
            return Opened(without, None, picture, True, spent)
        return Opened(without, picture, None, seconds=spent)

    def look(self, opened: Opened) -> Reading:
        """The second half: the reading of a listing that was opened; nothing of it is remembered."""
        seconds = {"decode": opened.seconds, "image": 0.0}
        described = None if opened.picture is None else self._described(opened.picture, seconds)
        return Reading(opened.evidence, described, opened.problem, seconds, opened.broken)

    def _nothing_to_see(self, evidence: Evidence) -> str | None:
        if not self.extractors:
            return "this model looks at text only"
        return (evidence.photo_problem or "no photo") if evidence.photo is None else None

    def _describe(
        self, content: bytes, seconds: dict[str, float], seen: tuple[bytes, PhotoView] | None = None
    ) -> Described | str:
        begun = time.perf_counter()
        decoded = _decoded(content)
        seconds["decode"] = time.perf_counter() - begun
        if isinstance(decoded, str):
            return decoded
        if seen is not None:
            from pipeline.features import augmentation  # serving never comes here

            digest, view = seen
            decoded = augmentation.changed(decoded, augmentation.drawn(digest, view.number, view.seed))
        return self._described(decoded, seconds)

    def _described(self, decoded: Photo, seconds: dict[str, float]) -> Described:
        begun = time.perf_counter()
        described: dict[str, NDArray[Any]] = {}
        for name, extractor in self.extractors.items():
            if isinstance(extractor, Describing):
                described[name] = extractor.describe([decoded])[0]
            else:
                with self._network:
                    described[name] = np.asarray(extractor.transform([decoded])[0], np.float32)
        seconds["image"] = time.perf_counter() - begun
        return described


def _decoded(content: bytes) -> Photo | str:
    """The picture, or why the bytes are none."""
    try:
        return photo_decoding.read(content)
    except BadImage as error:
        return f"the photo could not be read: {error}"


def vector(extractor: ImageExtractor, described: NDArray[Any]) -> NDArray[np.float32]:
    """The feature vector, shape (d,), of a described photo by a fitted extractor; a unit vector, or zeros."""
    raw = extractor.transform_described([described])[0] if isinstance(extractor, Describing) else described
    unit: NDArray[np.float32] = (raw / max(float(np.linalg.norm(raw)), 1e-9)).astype(np.float32)
    return unit
