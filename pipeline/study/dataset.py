"""The frozen listings of a study; photos are read when needed, so that any number of listings fits in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.cross_validation import CACHE_BYTES
from pipeline.classification.photo_reader import PhotoReader, prefetch
from pipeline.classification.training import make_photo_reader
from pipeline.domain.listing import Evidence, Example

READ_THREADS = 8


@dataclass(frozen=True, slots=True)
class StudyDataset:
    """The listings of a study. ``texts`` are evidences without photos, ``photos`` the same ones with them.

    ``labels`` are indices into ``categories``, which are those of ``level``; ``paths`` are the whole ones.
    ``attributions`` are to be shown beside the listings; empty where none has any.
    ``listings`` counts all the labelled listings that the sample was drawn of.
    """

    level: int
    categories: tuple[str, ...]
    labels: NDArray[np.int64]
    fingerprint: str
    listings: int
    keys: Sequence[str]
    listing_ids: Sequence[int | None]
    texts: Sequence[Evidence]
    photos: Sequence[Evidence]
    paths: Sequence[str] = ()
    attributions: Sequence[str | None] = ()

    def rows(self) -> list[dict[str, Any]]:
        """The report's ``rows``: one for each listing, in order; ``attribution`` is a place in ``due_to``, or None."""
        place = {attribution: at for at, attribution in enumerate(self.due_to())}
        due = [place[each] if each else None for each in self.attributions or [None] * len(self.keys)]
        return [
            {"key": key, "listing_id": listing_id, "name": evidence.name, "category": int(label), "attribution": to}
            for key, listing_id, evidence, label, to in zip(
                self.keys, self.listing_ids, self.texts, self.labels, due, strict=True
            )
        ]

    def due_to(self) -> list[str]:
        """The report's ``attributions``: whom its listings are due to, each once."""
        return list(dict.fromkeys(filter(None, self.attributions)))

    def photo(self, row: int) -> bytes | None:
        """The photo of a listing, or None; several threads may ask."""
        return self.photos[row].photo


class WithPhotos(Sequence[Evidence]):
    """Evidences whose photo is read at each look; ``read`` gives None for one that cannot be had.

    Going through them reads a few ahead in threads.
    """

    def __init__(
        self, texts: Sequence[Evidence], references: Sequence[str | None], read: Callable[[str], bytes | None]
    ):
        self._texts = texts
        self._references = references
        self._read = read

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, row: int) -> Evidence: ...

    @overload
    def __getitem__(self, row: slice) -> list[Evidence]: ...

    def __getitem__(self, row: int | slice) -> Evidence | list[Evidence]:
        """One evidence with its photo, or several."""
        if isinstance(row, slice):
            return [self[at] for at in range(*row.indices(len(self)))]
        reference = self._references[row]
        return replace(self._texts[row], photo=None if reference is None else self._read(reference))

    def __iter__(self) -> Iterator[Evidence]:
        def at(row: int) -> Evidence:
            return self[row]

        return prefetch(at, range(len(self)), READ_THREADS)


def without_photos(evidences: Sequence[Evidence]) -> list[Evidence]:
    """The texts alone."""
    return [replace(evidence, photo=None, photo_problem=None) for evidence in evidences]


class DatasetPhotoReader(PhotoReader):
    """A reader of photos that are named by their SHA-256 instead of carried along; descriptors are remembered."""

    def __init__(
        self,
        image_extractors: Sequence[str],
        weights: Mapping[str, str],
        photos: Sequence[Evidence],
        rows: dict[bytes, int],
    ) -> None:
        super().__init__(make_photo_reader(image_extractors, weights).extractors, CACHE_BYTES)
        self._photos = photos
        self._rows = rows

    def photo_bytes(self, photo: bytes) -> bytes | None:
        """The photo of this SHA-256."""
        return self._photos[self._rows[photo]].photo


def examples_of(studied: StudyDataset) -> tuple[list[Example], dict[bytes, int]]:
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
