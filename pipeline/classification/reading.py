"""Reading the photos of listings: each is decoded once, and described once by every image extractor."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.remembering import Described, Memory
from pipeline.domain.errors import BadImage
from pipeline.domain.listing import Evidence
from pipeline.features import photo
from pipeline.features.extractor import Describing, ImageExtractor


@dataclass(frozen=True, slots=True)
class PhotoView:
    """Which view of a training photo is meant; see ``features.augmentation``."""

    number: int
    seed: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A listing and what its photo gave: ``described`` by extractor, or None, and ``problem`` says why.

    ``seconds`` are those of ``decode`` and ``image``.
    """

    evidence: Evidence
    described: Described | None
    problem: str | None
    seconds: Mapping[str, float] = field(default_factory=dict)


class Reader:
    """Reads photos for a fixed set of image extractors, remembering at most ``cache_bytes`` of what it found.

    What does not fit goes to files of its own, at most ``disk_bytes`` of them, gone with the reader.
    Only the part of an extractor that no fit changes is used here, so one reader serves every fold.
    """

    def __init__(self, extractors: Mapping[str, ImageExtractor], cache_bytes: int = 0, disk_bytes: int = 0) -> None:
        self.extractors = dict(extractors)
        self._known = Memory(cache_bytes, disk_bytes)

    def read(self, evidence: Evidence, view: PhotoView | None = None) -> Reading:
        """Never fails on a bad photo: the reading says what is wrong with it. Of a ``view`` of it, if one is asked."""
        if not self.extractors:
            return Reading(evidence, None, "this model looks at text only")
        if evidence.photo is None:
            return Reading(evidence, None, evidence.photo_problem or "no photo")
        digest = hashlib.sha256(evidence.photo).digest()
        key = digest.hex() if view is None else f"{digest.hex()}-{view.number}-{view.seed}"
        seconds = {"decode": 0.0, "image": 0.0}
        found = self._known.find(key)
        if found is None:
            found = self._describe(evidence.photo, seconds, None if view is None else (digest, view))
            self._known.keep(key, found)
        if isinstance(found, str):
            return Reading(evidence, None, found, seconds)
        return Reading(evidence, found, None, seconds)

    def _describe(
        self, content: bytes, seconds: dict[str, float], seen: tuple[bytes, PhotoView] | None = None
    ) -> Described | str:
        begun = time.perf_counter()
        try:
            decoded = photo.read(content)
        except BadImage as error:
            return f"the photo could not be read: {error}"
        finally:
            seconds["decode"] = time.perf_counter() - begun
        if seen is not None:
            from pipeline.features import augmentation  # serving never comes here

            digest, view = seen
            decoded = augmentation.changed(decoded, augmentation.drawn(digest, view.number, view.seed))
        begun = time.perf_counter()
        described: dict[str, NDArray[Any]] = {}
        for name, extractor in self.extractors.items():
            if isinstance(extractor, Describing):
                described[name] = extractor.describe([decoded])[0]
            else:
                described[name] = np.asarray(extractor.transform([decoded])[0], np.float32)
        seconds["image"] = time.perf_counter() - begun
        return described


def vector(extractor: ImageExtractor, described: NDArray[Any]) -> NDArray[np.float32]:
    """The feature vector, shape (d,), of a described photo by a fitted extractor; a unit vector, or zeros."""
    raw = extractor.transform_described([described])[0] if isinstance(extractor, Describing) else described
    unit: NDArray[np.float32] = (raw / max(float(np.linalg.norm(raw)), 1e-9)).astype(np.float32)
    return unit
