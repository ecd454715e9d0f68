"""The photos of a study, read from their storage when they are needed, and grouped by their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

from pipeline.classification.photo_reader import FOLD_CACHE_BYTES, PhotoReader, prefetch
from pipeline.classification.training import make_photo_reader
from pipeline.domain.listing import Evidence, Example
from pipeline.study.dataset import StudyDataset

READ_THREADS = 8


class LazyPhotos(Sequence[Evidence]):
    """Evidence whose photo is read each time it is asked for; ``read`` returns None for a photo that is gone.

    Iterating reads a few photos ahead, in threads.
    """

    def __init__(
        self, texts: Sequence[Evidence], references: Sequence[str | None], read: Callable[[str], bytes | None]
    ) -> None:
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
        """One listing's evidence with its photo, or several."""
        if isinstance(row, slice):
            return [self[index] for index in range(*row.indices(len(self)))]
        reference = self._references[row]
        return replace(self._texts[row], photo=None if reference is None else self._read(reference))

    def __iter__(self) -> Iterator[Evidence]:
        def read(row: int) -> Evidence:
            return self[row]

        return prefetch(read, range(len(self)), READ_THREADS)


class DatasetPhotoReader(PhotoReader):
    """A photo reader for examples that carry a digest in place of their photo, see ``digest_examples``."""

    def __init__(
        self,
        image_extractors: Sequence[str],
        weights: Mapping[str, str],
        photos: Sequence[Evidence],
        rows: Mapping[bytes, int],
    ) -> None:
        super().__init__(make_photo_reader(image_extractors, weights).extractors, FOLD_CACHE_BYTES)
        self._photos = photos
        self._rows = rows

    def photo_bytes(self, photo: bytes) -> bytes | None:
        """The photo of this SHA-256."""
        return self._photos[self._rows[photo]].photo


@dataclass(frozen=True, slots=True)
class DigestExamples:
    """Examples with the SHA-256 of their photo in place of it, and, by digest, a row where the photo can be read.

    Equal photos have equal digests, so folds are grouped as they would be by the photos themselves.
    """

    examples: list[Example]
    rows: Mapping[bytes, int]

    @classmethod
    def of(cls, dataset: StudyDataset) -> DigestExamples:
        """The listings of a study; each photo is read once."""
        rows: dict[bytes, int] = {}
        examples = []
        for row, evidence in enumerate(dataset.photos):
            digest = hashlib.sha256(evidence.photo).digest() if evidence.photo else None
            if digest is not None:
                rows.setdefault(digest, row)
            category = dataset.categories[int(dataset.labels[row])]
            examples.append(Example(dataset.keys[row], replace(evidence, photo=digest), category))
        return cls(examples, rows)
