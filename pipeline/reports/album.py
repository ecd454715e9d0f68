"""The listings of a study as examples to learn from; photos stay where they are, and are read when one is described."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.classification.reading import PhotoView, Reader
from pipeline.classification.remembering import Described
from pipeline.classification.training import make_reader
from pipeline.classification.validation import CACHE
from pipeline.domain.listing import Evidence, Example
from pipeline.reports.studied import Studied


class Album(Reader):
    """A reader of photos that are named by their SHA-256 instead of carried along; descriptors are remembered."""

    def __init__(
        self,
        image_extractors: Sequence[str],
        weights: Mapping[str, str],
        photos: Sequence[Evidence],
        rows: dict[bytes, int],
    ) -> None:
        super().__init__(make_reader(image_extractors, weights).extractors, CACHE)
        self._photos = photos
        self._rows = rows

    def _describe(
        self, content: bytes, seconds: dict[str, float], seen: tuple[bytes, PhotoView] | None = None
    ) -> Described | str:
        photo = self._photos[self._rows[content]].photo
        return "the photo is gone" if photo is None else super()._describe(photo, seconds, seen)


def examples_of(studied: Studied) -> tuple[list[Example], dict[bytes, int]]:
    """The listings with the digest of their photo for a photo, and the row where each photo can be read.

    Equal photos have equal digests, so folds are grouped as they would be by the photos themselves.
    """
    rows: dict[bytes, int] = {}
    examples = []
    for row, evidence in enumerate(studied.photos):
        digest = hashlib.sha256(evidence.photo).digest() if evidence.photo else None
        if digest is not None:
            rows.setdefault(digest, row)
        category = studied.categories[int(studied.labels[row])]
        examples.append(Example(studied.keys[row], replace(evidence, photo=digest), category))
    return examples, rows


def without_attributes(examples: Sequence[Example]) -> list[Example]:
    """The same listings with name, description and photo only."""
    return [replace(example, evidence=replace(example.evidence, attributes={})) for example in examples]
