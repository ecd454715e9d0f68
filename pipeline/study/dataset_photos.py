"""The photos of a study: read from the storage on access, and identified by their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

from pipeline.classification.photo_reader import FOLD_CACHE_BYTES, PhotoReader, prefetch
from pipeline.classification.training import make_photo_reader
from pipeline.domain.listing import Evidence, Example
from pipeline.features.photo_hash import perceptual_hash
from pipeline.study.dataset import StudyDataset

READ_THREADS = 8


class LazyPhotoEvidences(Sequence[Evidence]):
    """Evidence whose photo is read on each access; ``read_photo`` returns None for a photo that no longer exists.

    ``references``, parallel to ``text_evidences``, are passed to ``read_photo``; None for a listing without a photo.
    Iterating reads a few photos ahead, in threads.
    """

    def __init__(
        self,
        text_evidences: Sequence[Evidence],
        references: Sequence[str | None],
        read_photo: Callable[[str], bytes | None],
    ) -> None:
        self._text_evidences = text_evidences
        self._references = references
        self._read_photo = read_photo

    def __len__(self) -> int:
        return len(self._text_evidences)

    @overload
    def __getitem__(self, row: int) -> Evidence: ...

    @overload
    def __getitem__(self, row: slice) -> list[Evidence]: ...

    def __getitem__(self, row: int | slice) -> Evidence | list[Evidence]:
        """The evidence of one listing, or of a slice of them, with its photo."""
        if isinstance(row, slice):
            return [self[index] for index in range(*row.indices(len(self)))]
        reference = self._references[row]
        return replace(self._text_evidences[row], photo=None if reference is None else self._read_photo(reference))

    def __iter__(self) -> Iterator[Evidence]:
        def read(row: int) -> Evidence:
            return self[row]

        return prefetch(read, range(len(self)), READ_THREADS)


class DatasetPhotoReader(PhotoReader):
    """A photo reader for examples that hold a digest in place of their photo, see ``DigestExamples``."""

    def __init__(
        self,
        image_extractors: Sequence[str],
        weights: Mapping[str, str],
        evidences: Sequence[Evidence],
        row_of_digest: Mapping[bytes, int],
    ) -> None:
        super().__init__(make_photo_reader(image_extractors, weights).extractors, FOLD_CACHE_BYTES)
        self._evidences = evidences
        self._row_of_digest = row_of_digest

    def photo_bytes(self, photo: bytes) -> bytes | None:
        """The photo whose SHA-256 is ``photo``."""
        return self._evidences[self._row_of_digest[photo]].photo


@dataclass(frozen=True, slots=True)
class DigestExamples:
    """Examples that hold the SHA-256 of their photo in place of it, and for each digest a row that has the photo.

    Equal photos have equal digests, so folds are grouped as they would be by the photos themselves.
    """

    examples: list[Example]
    row_of_digest: Mapping[bytes, int]

    @classmethod
    def of(cls, dataset: StudyDataset) -> DigestExamples:
        """The examples of a study's dataset; each photo is read once."""
        row_of_digest: dict[bytes, int] = {}
        examples = []
        for row, evidence in enumerate(dataset.evidences):
            digest = hashlib.sha256(evidence.photo).digest() if evidence.photo else None
            if digest is not None:
                row_of_digest.setdefault(digest, row)
            category = dataset.categories[int(dataset.labels[row])]
            photo_hash = perceptual_hash(evidence.photo) if evidence.photo else None
            example = Example(dataset.keys[row], replace(evidence, photo=digest), category, photo_hash=photo_hash)
            examples.append(example)
        return cls(examples, row_of_digest)
